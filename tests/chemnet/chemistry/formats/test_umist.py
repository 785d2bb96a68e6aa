"""Files of the UMIST database are read row by row; what is wrong is named by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from chemnet.chemistry.formats import umist
from chemnet.chemistry.formats.row_files import Reading, ReadingOptions
from chemnet.chemistry.network.network import Network
from chemnet.errors import DataError

ROWS = """\
# a comment in the manner of RATE22
1:AD:C-:C:C2:e-:::1:5.00e-10:0.00:0.0:10:41000:L:C:"10.1086/190665":"Prasad and Huntress 1980":
5173:NN:Si:OH:SiO:H:::1:1.00e-10:0.00:0.0:10:300:L:C:"10.1002/(SICI)1:2":"a note: with colons":
612:CP:H2:CRP:H+:H:e-::1:2.86e-19:0.00:0.0:10:41000:L:C:"":"":
618:CR:CO:CRPHOT:O:C:::1:1.30e-17:1.17:105.0:10:300:L:C::
5900:PH:OH:PHOTON:O:H:::1:3.90e-10:0.00:2.2:10:41000:L:C::
6100:RA:C+:H:CH+:PHOTON:::1:1.70e-17:0.00:0.0:10:300:M:D::
2700:DR:HCO+:e-:CO:H:::2:2.40e-07:-0.69:0.0:10:300:M:A:"doi1":"ref1":1.10e-07:-1.00:0.0:300:41000:M:A:"doi2":"ref2":
"""


@pytest.fixture
def write(tmp_path: Path):
    def _write(text: str) -> Path:
        path = tmp_path / "rate.txt"
        path.write_text(text, encoding="utf-8")
        return path

    return _write


def refused(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        umist.read(path)
    assert caught.value.hint
    return caught.value


def test_row_becomes_a_reaction_with_its_parameters_range_reference_and_place(write):
    _, reactions = umist.read(write(ROWS))
    first = reactions[0]
    assert (first.reactants, first.products, first.kind) == (("C-", "C"), ("C2", "E-"), "TWOBODY")
    assert (first.alpha, first.beta, first.gamma, first.t_min, first.t_max) == (
        5e-10,
        0.0,
        0.0,
        10.0,
        41000.0,
    )
    assert first.reference == "UMIST; 10.1086/190665; Prasad and Huntress 1980"
    assert first.source == "rate.txt:2"
    assert not first.extrapolate


def test_colons_inside_quotes_do_not_split_a_column(write):
    _, reactions = umist.read(write(ROWS))
    assert reactions[1].t_max == 300.0
    assert reactions[1].reference.endswith("10.1002/(SICI)1:2; a note: with colons")


def test_names_come_in_the_spelling_that_all_networks_share(write):
    species, reactions = umist.read(write(ROWS))
    assert reactions[1].reactants == ("SI", "OH")
    assert [one.name for one in species][:6] == ["C-", "C", "C2", "E-", "SI", "OH"]
    assert next(one for one in species if one.name == "SIO").mass == pytest.approx(44.084, abs=1e-3)


def test_partner_words_choose_the_kind_and_are_no_species(write):
    species, reactions = umist.read(write(ROWS))
    assert [reaction.kind for reaction in reactions[2:6]] == ["CRP", "CRPHOT", "PHOTON", "TWOBODY"]
    assert reactions[2].reactants == ("H2",)
    assert reactions[5].products == ("CH+",)
    assert not {"CRP", "CRPHOT", "PHOTON"} & {one.name for one in species}


@pytest.mark.parametrize("tail", ["::", ": ! large gamma", ":   ", ""])
def test_empty_fields_and_remarks_at_the_end_of_a_line_mean_nothing(write, tail):
    line = '1:NN:C:OH:CO:H:::1:1e-10:0:0:10:300:L:C:"doi":"note"' + tail
    (reaction,) = umist.read(write(line + "\n"))[1]
    assert (reaction.alpha, reaction.reference) == (1e-10, "UMIST; doi; note")


def test_rates_go_on_beyond_their_range_or_do_as_the_user_says(write):
    reading = Reading(ReadingOptions(outside_range="clamp"))
    assert {one.outside for one in umist.read(write(ROWS))[1]} == {"extrapolate"}
    assert {one.outside for one in umist.read(write(ROWS), reading)[1]} == {"clamp"}


def test_row_with_two_temperature_ranges_becomes_two_reactions(write):
    _, reactions = umist.read(write(ROWS))
    low, high = reactions[-2:]
    assert (low.reactants, low.products) == (high.reactants, high.products)
    assert (low.t_min, low.t_max, low.alpha) == (10.0, 300.0, 2.4e-7)
    assert (high.t_min, high.t_max, high.alpha) == (300.0, 41000.0, 1.1e-7)
    assert high.reference == "UMIST; doi2; ref2"
    assert low.source == high.source == "rate.txt:8"


def test_network_is_recognised_by_content_and_balanced(write):
    path = write(ROWS)
    assert umist.matches(path)
    network = Network.from_parts(*umist.read(path))
    assert "SI" in network.elements


@pytest.mark.parametrize(
    ("row", "message", "hint"),
    [
        ("1:XX:C:C:C2::::1:1e-10:0:0:10:300:L:C::", "rate.txt:1: unknown reaction type 'XX'", "AD"),
        ("1:NN:C:OH:CO:H:::1:fast:0:0:10:300:L:C::", "rate.txt:1: alpha is 'fast'", "1.5e-9"),
        ("1:NN:C:OH:CO:H:::1:1e-10:0:nan:10:300:L:C::", "rate.txt:1: gamma is 'nan'", "1.5e-9"),
        ("1:NN:C:OH:CO:H:::1:1e-10:0:0:400:300:L:C::", "Tl = 400 K is above Tu = 300 K", "swap"),
        ("1:NN:C:OH:CO", "rate.txt:1: 5 columns", "number:type"),
        ("1:NN:C:OH:CO:H:::2:1e-10:0:0:10:300:L:C::", "do not fit 2 temperature range(s)", "9 columns"),
        ("1:NN:C:OH:CO:H:::5:1e-10:0:0:10:300:L:C::", "column 9, is '5'; it is 1 to 4", "colon"),
        ("1:NN:C:OH:CO:H:::1:1e-10:0:0:10:300:L:C:a:b:c:d", "do not fit 1 temperature range(s)", "9 columns"),
        ("1:NN:C:Qx:CO:H:::1:1e-10:0:0:10:300:L:C::", "rate.txt:1: 'Qx' is not a species name", "CH3OH"),
        (
            "1:CP:H2:H:H2+:e-:::1:1e-17:0:0:10:300:L:C::",
            "type CP has CRP as second reactant, found 'H'",
            "type",
        ),
        ("1:NN:H2:CRP:H2+:e-:::1:1e-17:0:0:10:300:L:C::", "type NN has a species as second reactant", "type"),
        ("1:NN:H2::H:H:::1:1e-17:0:0:10:300:L:C::", "type NN has 2 reacting species, found 1: H2", "columns"),
    ],
)
def test_wrong_row_is_refused_with_file_line_and_cause(write, row, message, hint):
    error = refused(write(row + "\n"))
    assert message in error.message
    assert hint in error.hint


def test_all_refused_rows_are_named_at_once(write):
    good = ROWS.splitlines()[1]
    error = refused(write("\n".join([good, *["1:ZZ:C:C:C2::::1:1:0:0:1:3:L:C::"] * 12, good]) + "\n"))
    assert error.message.startswith(f"{error.message.split(':')[0]}: 12 rows are refused")
    assert "rate.txt:2: unknown reaction type 'ZZ'" in error.message
    assert error.message.endswith("... and 2 more")


def test_unbalanced_row_is_named_by_file_and_line(write):
    parts = umist.read(write(ROWS.replace("SiO:H:::", "SiO::::")))
    with pytest.raises(DataError, match=r"rate\.txt:3: SI \+ OH -> SIO .*H -1"):
        Network.from_parts(*parts)


def test_row_that_loses_charge_is_named_by_file_and_line(write):
    parts = umist.read(write(ROWS.replace("C2:e-:::", "C2::::")))
    with pytest.raises(DataError, match=r"rate\.txt:2: .*charge \+1"):
        Network.from_parts(*parts)


def test_file_without_reactions_is_refused(write):
    assert "no reaction in the file" in refused(write("# nothing\n")).message


def test_missing_file_is_no_umist_file_and_reading_it_says_so(tmp_path):
    assert not umist.matches(tmp_path / "absent.txt")
    assert "cannot be read" in refused(tmp_path / "absent.txt").message

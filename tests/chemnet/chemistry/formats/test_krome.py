"""KROME files are read with their formats, variables and limits; faults are named by file and line."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from chemnet.chemistry.formats import krome
from chemnet.chemistry.formats.row_files import Reading, ReadingOptions
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.rates.temperature_ranges import join_ranges
from chemnet.errors import DataError

FILE = """\
# primordial and carbon chemistry, made up for tests
@common: user_crate,user_Av,user_G0
@var: half = 0.5d0
1,H,E,,H+,E,E,,NONE,NONE,1d-9*exp(-157809.*invT)
2,H+,E,,H,g,,,2.73d0,.LE.5.5e3,3.92d-13*invTe**0.6353d0
3,H+,E,,H,g,,,>5.5e3,NONE,1d-13
/* a comment
4,this,is,not,a,row
*/
// neither is this
@noTabNext
@format:idx,R,R,P,P,rate
5,C,OH,CO,H,max(1d-10, 2d-10*T32**half)
@CR_start
@format:idx,R,P,P,rate
6,H2,H,H,1d-1*user_crate
@CR_stop
@photo_start
7,CO,C,O,user_G0*2d-10*exp(-3.5*user_Av)
@photo_end
@var:half=2d0
@format:idx,R,R,R,P,P,Tmin,Tmax,rate
8,H,H,H,H2,H,,1d4,6d-32*Tgas**(-half)
@ghost: Fe, SiO_ice
"""


@pytest.fixture
def write(tmp_path: Path):
    def _write(text: str) -> Path:
        path = tmp_path / "react_test"
        path.write_text(text, encoding="utf-8")
        return path

    return _write


def refused(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        krome.read(path)
    assert caught.value.hint
    return caught.value


def test_rows_follow_the_format_in_force(write):
    _, reactions = krome.read(write(FILE))
    sides = [(reaction.reactants, reaction.products) for reaction in reactions]
    assert sides == [
        (("H", "E-"), ("H+", "E-", "E-")),
        (("H+", "E-"), ("H",)),
        (("H+", "E-"), ("H",)),
        (("C", "OH"), ("CO", "H")),
        (("H2",), ("H", "H")),
        (("CO",), ("C", "O")),
        (("H", "H", "H"), ("H2", "H")),
    ]
    assert {reaction.kind for reaction in reactions} == {"EXPRESSION"}


def test_limits_lose_their_comparison_and_none_is_no_limit(write):
    _, reactions = krome.read(write(FILE))
    limits = [(reaction.t_min, reaction.t_max) for reaction in reactions]
    assert limits[:3] == [(0.0, np.inf), (2.73, 5500.0), (np.nextafter(5500.0, np.inf), np.inf)]
    assert limits[3] == (0.0, np.inf)
    assert limits[6] == (0.0, 1e4)


def test_a_limit_belongs_to_the_row_that_its_comparison_names(write):
    rows = (
        "@format:idx,R,R,P,P,Tmin,Tmax,rate\n1,C,OH,CO,H,NONE,.LT.1d2,1d-9\n2,C,OH,CO,H,.GE.1d2,NONE,2d-9\n"
    )
    for text, owner in ((rows, 1), (rows.replace(".LT.", ".LE.").replace(".GE.", ".GT."), 0)):
        found = join_ranges(krome.read(write(text))[1]).rows
        counting = [any(one.start <= 100.0 < one.end for one in ranges) for ranges in found]
        assert counting == [index == owner for index in (0, 1)]


def test_a_row_whose_limits_exclude_one_another_never_counts(write):
    reading = Reading()
    rows = ROW + "1,C,OH,CO,H,>1d2,.LE.1d2,1d-9\n2,C,OH,CO,H,1d2,1d2,2d-9\n"
    assert [one.t_max for one in krome.read(write(rows), reading)[1]] == [100.0]
    assert "never count (1 row, the first is react_test:2)" in reading.notes[0]


def test_blocks_that_only_cool_are_read_over_and_others_left_out_when_asked(write):
    text = "@cooling_start\n x = n(idx_H)\n@cooling_stop\n" + ROW + "1,C,OH,CO,H,,,1d-9\n"
    assert len(krome.read(write(text))[1]) == 1
    block = "@reactionModifier_begin\nif(Tgas>1d3) k(1) = 0d0\n@reactionModifier_end\n"
    reading = Reading(ReadingOptions(skip_unreadable=True))
    assert len(krome.read(write(block + text), reading)[1]) == 1
    assert reading.skipped == [refused(write(block + text)).message]


def test_rates_that_the_host_program_knows_are_given_by_key(write):
    text = ROW + "1,C,OH,CO,H,,,user_rate*1d-9\n@format:idx,R,P,P,rate\n2,H,H+,E,auto\n3,C,C+,E,auto\n"
    given = {"user_rate": 2, "auto": "0d0", "C -> C+ + E-": "3d-10*user_G0"}
    _, reactions = krome.read(write(text), Reading(ReadingOptions(variables=given)))
    values = [float(one.expression(100.0, radfield=2.0)) for one in reactions]
    assert values == pytest.approx([2e-9, 0.0, 6e-10])


def test_rates_that_depend_on_abundances_are_noticed_once(write):
    reading = Reading()
    krome.read(write(ROW + "1,H,H,H2,,,,1d-17/n(idx_H)\n2,C,OH,CO,H,,,1d-9*n(idx_H2)\n"), reading)
    assert len(reading.notes) == 1
    assert "(2 rows, the first is react_test:2)" in reading.notes[0]


def test_rates_have_the_values_of_their_expressions(write):
    _, reactions = krome.read(write(FILE))
    rate = {reaction.source: reaction.expression for reaction in reactions}
    temperature = np.array([30.0, 300.0])
    state = {"Tgas": temperature, "Av": 2.0, "zeta": 10.0, "radfield": 5.0}
    expected = {
        "react_test:4": 1e-9 * np.exp(-157809 / temperature),
        "react_test:5": 3.92e-13 * (temperature * 8.617343e-5) ** -0.6353,
        "react_test:13": np.maximum(1e-10, 2e-10 * np.sqrt(temperature / 300)),
        "react_test:16": np.full(2, 1.3e-17),
        "react_test:19": np.full(2, 1e-9 * np.exp(-7.0)),
        "react_test:23": 6e-32 * temperature**-2.0,
    }
    for source, value in expected.items():
        np.testing.assert_allclose(rate[source](**state), value, rtol=1e-12, err_msg=source)


def test_variable_counts_for_the_rows_below_it_until_it_is_replaced(write):
    _, reactions = krome.read(write(FILE))
    assert reactions[3].expression.definitions == (("half", "0.5d0"),)
    assert reactions[6].expression.definitions == (("half", "2d0"),)


def test_names_are_read_in_any_case_and_ice_gets_its_mark(write):
    species, _ = krome.read(
        write(FILE + "@format:idx,R,R,P,P,rate\n9,Co,he+,CO+,HE,1d-9\n10,c-C3H2,E,C3H,H,1d-9\n")
    )
    names = [one.name for one in species]
    assert names[:2] == ["FE", "#SIO"]
    assert {"CO", "HE+", "c-C3H2"} <= set(names)
    assert not {"G", "g"} & set(names)


def test_reactions_can_be_hashed_and_pickled(write):
    _, reactions = krome.read(write(FILE))
    assert pickle.loads(pickle.dumps(reactions)) == reactions
    assert len(set(reactions)) == len(reactions)


def test_network_is_recognised_by_content_and_balanced(write):
    path = write(FILE)
    assert krome.matches(path)
    assert krome.matches(write("1,H,E,,H+,E,E,,NONE,NONE,1d-9\n"))
    assert not krome.matches(write("1,H,E,1d-9\n"))
    assert not krome.matches(path.parent)
    assert Network.from_parts(*krome.read(write(FILE))).elements == ("H", "C", "O", "SI", "FE")


ROW = "@format:idx,R,R,P,P,Tmin,Tmax,rate\n"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (ROW + "1,C,OH,CO,H,NONE,NONE", "react_test:2: 7 columns, but the format in force has 8", "@format"),
        (ROW + "1,C,OH,CO,H,cold,NONE,1d-9", "react_test:2: Tmin is 'COLD'", "1.5e-9"),
        (ROW + "1,C,OH,CO,H,1d3,1d2,1d-9", "Tmin = 1000 K is above Tmax = 100 K", "swap"),
        (ROW + "1,C,OQ,CO,H,,,1d-9", "react_test:2: 'OQ' is not a species name", "CH3OH"),
        (ROW + "1,,,CO,H,,,1d-9", "react_test:2: 0 reacting species", "1 to 3"),
        (ROW + "1,C,OH,CO,H,,,1d-9*speed", "react_test:2: rate: unknown name 'speed'", "@var:speed="),
        (ROW + "1,C,OH,CO,H,,,1d-9*(T32", "react_test:2: rate: '1d-9*(t32' is no arithmetic", "parentheses"),
        (ROW + "1,C,OH,CO,H,,,__import__('os')", "react_test:2: rate:", "Fortran"),
        (ROW + "1,C,OH,CO,H,,,Tgas>1d3:1d-9", "has '>' where", "Fortran"),
        ("@format:idx,R,P,speed\n", "react_test:1: unknown column 'speed'", "rate"),
        ("@format:idx,R,P,Tmin\n", "@format needs at least one R column and a rate", "@format:idx"),
        ("@var:1x=3\n", "react_test:1: @var:1x=3 defines no variable", "@var:power"),
        ("@var:Tgas=3\n", "@var:Tgas=3 defines no variable", "@var:power"),
        ("@ice:CO,freezeout,rate\n", "react_test:1: @ice is not supported", "@"),
        ("@reactionModifier_start\n", "the block @reactionmodifier changes rates", "skip_unreadable"),
        ("@ghost:Qx\n", "react_test:1: 'QX' is not a species name", "CH3OH"),
        (
            "@photo_start\n@format:idx,R,P,P,rate\n1,H,H+,E,auto",
            "cross-section over photon energy",
            "user_G0",
        ),
        ("@format:idx,R,P,P,rate\n1,H,H+,E,1d-18*energy_eV", "cross-section over photon energy", "user_G0"),
        (
            "@photo_start\n@format:idx,R,P,P,rate\n1,H,H+,E,sigma",
            "rate (in a photo or X-ray block)",
            "@var:sigma",
        ),
    ],
)
def test_wrong_line_is_refused_with_file_line_and_cause(write, text, message, hint):
    error = refused(write(text))
    assert message in error.message
    assert hint in error.hint


def test_variable_that_no_rate_uses_may_be_beyond_chemnet(write):
    _, reactions = krome.read(write("@var:ntot=sum(n(1:nmols))\n" + ROW + "1,C,OH,CO,H,,,1d-9\n"))
    assert len(reactions) == 1


def test_unbalanced_row_is_named_by_file_and_line(write):
    parts = krome.read(write(FILE + "@format:idx,R,R,P,rate\n9,C,OH,CO,1d-9\n"))
    with pytest.raises(DataError, match=r"react_test:26: C \+ OH -> CO .*H -1"):
        Network.from_parts(*parts)

"""`Network.read` tells the formats apart by content, whatever the file is called."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from chemnet.chemistry.formats import FORMATS, detect_format
from chemnet.chemistry.network.network import Network
from chemnet.errors import DataError

CONTENT = {
    "umist": '1:NN:C:OH:CO:H:::1:1.00e-10:0.00:0.0:10:300:L:C:"":"":\n',
    "kida": (
        f"{'C':<11}{'OH':<11}{'':<11} {'CO':<11}{'H':<11}{'':<33} {1e-10:>10.3e} {0:>10.3e} {0:>10.3e} "
        "2.00e+00 0.00e+00 logn  4     10    280  3     1 1  1\n"
    ),
    "krome": "@format:idx,R,R,P,P,rate\n1,C,OH,CO,H,1d-10\n",
}


@pytest.mark.parametrize("name", CONTENT)
def test_file_is_recognised_by_its_own_reader_alone(tmp_path: Path, name: str):
    path = tmp_path / "network.dat"
    path.write_text(CONTENT[name], encoding="utf-8")
    modules = [import_module(f"chemnet.chemistry.formats.{one}") for one in FORMATS]
    assert [module.__name__.rsplit(".", 1)[1] for module in modules if module.matches(path)] == [name]
    network = Network.read(path)
    assert network.name == "network"
    assert network.reactions[0].reactants == ("C", "OH")
    assert network.species_names == ("C", "OH", "CO", "H")


@pytest.mark.parametrize("content", ["", "Dear reader,\n", "a,b,c\n1,2,3\n", "\x00\x01\x02"])
def test_file_of_no_known_format_is_refused_with_the_known_ones(tmp_path: Path, content: str):
    path = tmp_path / "letter.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="not a network that chemnet can read") as caught:
        detect_format(path)
    assert all(name in caught.value.hint for name in ("UCLCHEM", "UMIST", "KIDA", "KROME"))


@pytest.mark.parametrize(
    ("name", "broken", "message"),
    [
        ("umist", ("CO:H:::", "CO::::"), r"network\.dat:1: C \+ OH -> CO .*H -1"),
        ("kida", ("CO         H", "CO          "), r"network\.dat:1: C \+ OH -> CO .*H -1"),
        ("krome", ("CO,H,", "CO,,"), r"network\.dat:2: C \+ OH -> CO .*H -1"),
        ("krome", ("CO,H,", "CO+,H,"), r"network\.dat:2: C \+ OH -> CO\+ \+ H .*charge \+1"),
    ],
)
def test_row_out_of_balance_is_refused_by_file_and_line(tmp_path: Path, name, broken, message):
    path = tmp_path / "network.dat"
    path.write_text(CONTENT[name].replace(*broken), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        Network.read(path)

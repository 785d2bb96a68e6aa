"""`chemnet cite` names the papers behind a result, and says what it does not know."""

from __future__ import annotations

import re
from pathlib import Path

from command_line import chemnet
from made_network import write_made_network

from chemnet.evaluation.citations import _BY_FORMAT, _BY_NAME, _BY_VERB, bibtex


def test_every_entry_is_whole_bibtex_and_every_key_has_one() -> None:
    known = bibtex()
    for table in (_BY_FORMAT, _BY_NAME, _BY_VERB):
        for keys in table.values():
            assert set(keys) <= set(known)
    for key, entry in known.items():
        assert re.match(rf"@\w+\{{{key},\n", entry)
        assert entry.count("{") == entry.count("}")
        assert {"author", "title", "year"} <= set(re.findall(r"^  (\w+) +=", entry, re.MULTILINE))


def test_a_simulation_cites_its_network_and_chemnet(tmp_path: Path) -> None:
    words = [f"general.results_dir={tmp_path / 'results'}", "simulate.n_tracers=1", "simulate.n_steps=2"]
    made = chemnet("simulate", f"simulate.network={write_made_network(tmp_path / 'made')}", "--json", *words)
    outcome = chemnet("cite", made.answer["path"], *words)
    assert outcome.code == 0, outcome.err
    assert "@software{chemnet," in outcome.out
    assert "@article{Holdship2017," in outcome.out, "the network is in UCLCHEM's format"


def test_what_chemnet_ships_is_cited_by_name() -> None:
    assert "@article{Millar2024," in chemnet("cite", "uclchem").out


def test_an_unknown_result_is_refused(tmp_path: Path) -> None:
    outcome = chemnet("cite", "nothing", f"general.results_dir={tmp_path}")
    assert (outcome.code, "no result 'nothing'" in outcome.err) == (2, True)

"""Files of other codes that chemnet recognises and does not read: what they are, and what to give instead."""

from __future__ import annotations

import re
from pathlib import Path

from chemnet.text_files import data_lines, read_text

_PRIZMO_ROW = re.compile(r"\S+ .*->.*\[.*\]")
_ASTROCHEM_ROW = re.compile(r"\S+ .*->.*\s[-+.\de]+\s+[-+.\de]+\s+[-+.\de]+\s+-?\d+\s+\d+\s*$", re.IGNORECASE)
_EXAMINED = 200
_NAUTILUS_FILES = {
    "gas_species.in": "the list of gas species",
    "grain_species.in": "the list of ice species",
    "surface_parameters.in": "binding energies",
    "activation_energies.in": "barriers of reactions on ice",
    "abundances.in": "initial abundances",
    "parameters.in": "its switches",
    "element.in": "its elements",
}


def what_it_is(path: Path) -> tuple[str, str] | None:
    """Return what a file is and the next step, None for one that chemnet does not know.

    Parameters
    ----------
    path
        A file or folder that no reader has recognised.
    """
    if path.is_dir():
        networks = sorted(one.name for one in path.iterdir() if one.is_file())
        return (
            None if not networks else ("a folder with other files", f"give one of {', '.join(networks[:8])}")
        )
    if path.name in _NAUTILUS_FILES:
        return (
            f"{_NAUTILUS_FILES[path.name]} of Nautilus",
            "give its gas_reactions.in, or the folder that holds it",
        )
    text = read_text(path)
    if text.lstrip().startswith("{"):
        return _json_kind(text)
    lines = [line for _, line in data_lines(path, ("#", "!", "//"))[:_EXAMINED]]
    if not lines:
        return "there is nothing in it" + " but comments" * bool(
            text.strip()
        ), "check that it is the right file"
    if any(line.strip().startswith("VARIABLES{") or _PRIZMO_ROW.match(line) for line in lines):
        return (
            "a network in PRIZMO's notation (reactants -> products [Tmin, Tmax] rate)",
            "write its rows in KROME's format, whose rates are expressions too",
        )
    if any(_ASTROCHEM_ROW.match(line) for line in lines):
        return "a network of Astrochem (.chm)", "give the OSU or KIDA file that it was made from"
    if lines and lines[0].upper().replace(" ", "").startswith("NAME,MASS,"):
        return "UCLCHEM's table of species", "give the folder that holds it and reactions.csv"
    if any(",NAN," in line.upper() for line in lines):
        return (
            "a table of UCLCHEM's reactions without its header",
            "put MakeRates' header line (Reactant 1,Reactant 2,...) in front, and species.csv beside it",
        )
    return None


def _json_kind(text: str) -> tuple[str, str]:
    if '"jaff.network_json"' in text[:4096]:
        return (
            "a network that JAFF exported as JSON: rates as SymPy trees, which chemnet does not read",
            "give the .jet file that JAFF read: KROME's, UMIST's, KIDA's or UCLCHEM's format",
        )
    return "JSON, which no network format of chemnet is", "give the network in one of the formats below"

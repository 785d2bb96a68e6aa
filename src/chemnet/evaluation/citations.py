"""What to cite for a result: chemnet, the networks behind its tracers, and the methods that made it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from chemnet.chemistry.formats import read_parts
from chemnet.chemistry.formats.row_files import ReadingOptions
from chemnet.errors import ChemNetError
from chemnet.results import ResultDirectory

_BY_FORMAT = {
    "uclchem": ("Holdship2017", "Millar2024"),
    "umist": ("Millar2024",),
    "kida": ("Wakelam2012", "Wakelam2024"),
    "osu": ("Garrod2008",),
    "krome": ("Grassi2014",),
    "native": (),
}
# networks and surrogates that chemnet ships, by name
_BY_NAME = {
    "collapse": ("McElroy2013", "Millar2024", "Garrod2008", "Hasegawa1992", "Holdship2017"),
    "collapse_bulk": (
        "McElroy2013",
        "Millar2024",
        "Garrod2008",
        "Hasegawa1992",
        "Holdship2017",
        "Garrod2011",
    ),
    "uclchem": ("Holdship2017", "Millar2024"),
}
_BY_VERB = {"umap": ("McInnes2018",)}
_ENTRIES = Path(__file__).with_name("citations.bib")


def bibtex() -> dict[str, str]:
    """Return the entries that chemnet knows, by key."""
    entries = _ENTRIES.read_text(encoding="utf-8").strip().split("\n\n")
    return {entry.partition("{")[2].partition(",")[0]: entry for entry in entries}


def citations(result: ResultDirectory) -> tuple[list[str], list[str]]:
    """Return the BibTeX entries for a result, and what nothing can be said of.

    Parameters
    ----------
    result
        Any result; what it was made from counts, as far as that is still there.
    """
    keys: dict[str, None] = {}
    unknown: list[str] = []
    for one in result.lineage():
        keys |= dict.fromkeys(_BY_VERB.get(one.verb, ()))
        for network, reading in _networks(one):
            found = _keys_of(network, reading)
            keys |= dict.fromkeys(found or ())
            unknown += [f"network {network}: its own papers (it names none)"] if not found else []
        table = one.config["data_set"]["path"] if one.verb == "preprocess" else None
        if table and "simulate" not in one.parents:
            unknown.append(f"{Path(str(table)).name}: the code and network that made these tracers")
    return [_chemnet(), *(bibtex()[key] for key in keys)], list(dict.fromkeys(unknown))


def shipped_citations(name: str) -> list[str] | None:
    """Return the BibTeX entries for a network or surrogate that chemnet ships; None for another."""
    if name not in _BY_NAME:
        return None
    return [_chemnet(), *(bibtex()[key] for key in _BY_NAME[name])]


def _networks(result: ResultDirectory) -> Iterator[tuple[str, Any]]:
    """Yield the networks that a result's configuration put to use."""
    config = result.config
    if result.verb == "simulate":
        yield str(config["simulate"]["network"]), config["network"]
    if result.verb == "network":
        yield str(config["network"]["path"]), config["network"]


def _keys_of(network: str, reading: Any) -> tuple[str, ...]:
    """Return the papers behind a network, by its name or else by its format."""
    if network in _BY_NAME:
        return _BY_NAME[network]
    try:
        return _BY_FORMAT.get(read_parts(network, ReadingOptions.of(reading)).format.lower(), ())
    except ChemNetError:
        return ()


def _chemnet() -> str:
    return "\n".join(
        [
            "@software{chemnet,",
            "  author  = {{the chemnet developers}},",
            "  title   = {chemnet: neural surrogates of astrochemistry that say how far "
            "they can be trusted},",
            f"  version = {{{version('chemnet')}}}",
            "}",
        ]
    )

"""What readers of row-by-row network files share: lines, numbers, names and the report of refused rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from chemnet.chemistry.network.network import NetworkSpecies, Reaction
from chemnet.chemistry.network.species import parse_species, standard_name
from chemnet.errors import DataError

COSMIC_RAY_UNIT = 1.3e-17
"""chemnet's unit of the cosmic-ray ionisation rate [s^-1]: `zeta = 1` in a tracer."""

_LISTED = 10
_MOST_REFUSED = 0.9


def text_of(path: Path) -> str:
    """Return the text of a network file; bytes that are no UTF-8 (only found in references) are replaced.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})", hint="check the path") from error


def data_lines(path: Path, comment_marks: tuple[str, ...]) -> list[tuple[int, str]]:
    """Return the lines of a file that hold data, each with its line number.

    Parameters
    ----------
    path
        The file.
    comment_marks
        Beginnings of lines to leave out.

    Returns
    -------
    list
        Pairs of line number (from 1) and the line without its end.
    """
    return [
        (number, line)
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith(comment_marks)
    ]


def read_rows(
    path: Path, lines: Iterable[tuple[int, str]], parse: Callable[[str, str], Sequence[Reaction]]
) -> list[Reaction]:
    """Return the reactions of all rows, or one error that names every row that is refused.

    Parameters
    ----------
    path
        The file, for messages.
    lines
        Pairs of line number and text.
    parse
        Makes the reactions of one row from its text and its `file:line`.

    Raises
    ------
    DataError
        Some rows are refused, or there is no reaction in the file.
    """
    reactions: list[Reaction] = []
    refused: list[DataError] = []
    for number, text in lines:
        try:
            reactions.extend(parse(text, f"{path.name}:{number}"))
        except DataError as error:
            refused.append(error)
    if len(refused) > _MOST_REFUSED * max(len(reactions) + len(refused), _LISTED):
        raise _not_recognised(path, refused)
    if refused:
        raise _joined(path, refused)
    if not reactions:
        raise DataError(f"{path}: no reaction in the file", hint="check that it is the network file")
    return reactions


def decimal(text: str, what: str, where: str) -> float:
    """Return a finite number written in Python's, C's or Fortran's way (`1.5e-9`, `1.5d-9`).

    Raises
    ------
    DataError
        `text` is no finite number.

    Examples
    --------
    >>> decimal("1.5d-9", "alpha", "network.txt:3")
    1.5e-09
    """
    try:
        value = float(text.strip().lower().replace("d", "e"))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"{where}: {what} is {text.strip()!r}, which is no finite number", hint="write it as in 1.5e-9"
        )
    return value


def species_names(names: Iterable[str], where: str) -> tuple[str, ...]:
    """Return names in chemnet's spelling (UCLCHEM's capitals); empty places are left out.

    Raises
    ------
    DataError
        A name is no formula.

    Examples
    --------
    >>> species_names(["He+", "", "e-"], "network.txt:3")
    ('HE+', 'E-')
    """
    try:
        return tuple(standard_name(name) for name in names if name.strip())
    except DataError as error:
        raise DataError(f"{where}: {error.message}", hint=error.hint) from error


def split_partner(names: Sequence[str], partners: Iterable[str]) -> tuple[list[str], str]:
    """Separate the species of one side of a reaction from the word for cosmic rays or photons.

    Parameters
    ----------
    names
        One side of a reaction, as written; empty places allowed.
    partners
        The words of this format, in the spelling of the format.

    Returns
    -------
    tuple
        Species as written, and the partner (empty without one).

    Examples
    --------
    >>> split_partner(["H2", "CRP"], ["CRP", "CRPHOT", "PHOTON"])
    (['H2'], 'CRP')
    """
    words = frozenset(partners)
    found = [name.strip() for name in names if name.strip() in words]
    return [name.strip() for name in names if name.strip() and name.strip() not in words], "".join(found[:1])


def require_reactants(reactants: Sequence[str], kind: str, count: int, where: str) -> None:
    """Check the number of species that react in a row.

    Raises
    ------
    DataError
        There are more or fewer than `count`.
    """
    if len(reactants) != count:
        raise DataError(
            f"{where}: a reaction of type {kind} has {count} reacting species, found {len(reactants)}: "
            f"{' + '.join(reactants) or 'none'}",
            hint="check the columns of the row",
        )


def network_species(reactions: Iterable[Reaction], extra: Iterable[str] = ()) -> list[NetworkSpecies]:
    """Return the species of some reactions in the order of appearance, with masses from their formulas.

    Parameters
    ----------
    reactions
        Reactions whose names are in chemnet's spelling.
    extra
        Further names, put first.
    """
    names = dict.fromkeys(extra)
    for reaction in reactions:
        names.update(dict.fromkeys((*reaction.reactants, *reaction.products)))
    return [NetworkSpecies(name=name, mass=parse_species(name).mass) for name in names]


def _not_recognised(path: Path, refused: list[DataError]) -> DataError:
    """Return the error for a file of which hardly a row can be read: it has another format."""
    return DataError(
        f"{path}: format not recognised; hardly a row can be read, for example\n  {refused[0].message}",
        hint="chemnet reads a UCLCHEM folder (species.csv and reactions.csv), UMIST (RATE12, RATE22), KIDA, "
        "KROME and its own format; for their columns see docs/reference/formats.md",
    )


def _joined(path: Path, refused: list[DataError]) -> DataError:
    """Return one error for all refused rows of a file."""
    if len(refused) == 1:
        return refused[0]
    lines = [error.message for error in refused[:_LISTED]]
    if len(refused) > _LISTED:
        lines.append(f"... and {len(refused) - _LISTED} more")
    return DataError(
        f"{path}: {len(refused)} rows are refused\n  " + "\n  ".join(lines), hint=refused[0].hint
    )

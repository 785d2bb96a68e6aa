"""What readers of network files share: options, names, and what is noticed, left out or refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from chemnet.chemistry.network.species import parse_species
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.chemistry.network.species_names import Naming
from chemnet.errors import ConfigError, DataError

COSMIC_RAY_UNIT = 1.3e-17
"""chemnet's unit of the cosmic-ray ionisation rate [s^-1]: `zeta = 1` in a tracer."""

_LISTED = 10
_HINTS, _SAME_HINT = 3, 40  # hints that begin alike differ by the name of a species
_MOST_REFUSED = 0.9


@dataclass(frozen=True)
class ReadingOptions:
    """How a network is read; the keys of `[network]` with the same names.

    Parameters
    ----------
    skip_unreadable
        Whether rows that cannot be read, or that do not balance, are left out and listed instead of refused.
    outside_range
        What a reaction does beyond the last limit of its rows: `clamp` (its rate at the limit), `zero`,
        `extrapolate`, or `file`: what its format says.
    composition, ice_prefixes
        As for `Naming`.
    variables
        Variables of rate expressions that the file leaves to a host program, name to expression.
    """

    skip_unreadable: bool = False
    outside_range: str = "file"
    composition: Mapping[str, str] = field(default_factory=dict)
    ice_prefixes: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> ReadingOptions:
        """Return the options that a `[network]` table of the configuration sets.

        Raises
        ------
        ConfigError
            A composition is no formula, a phase is unknown, or a variable is no text.
        """
        # results of before lack the keys
        options = cls(**{one.name: _plain(table[one.name]) for one in fields(cls) if one.name in table})
        for name, value in options.variables.items():
            if not isinstance(value, str | int | float):
                raise ConfigError(f"network.variables: {name!r} is {value!r}", hint="write text or a number")
        _ = options.naming
        return options

    @property
    def naming(self) -> Naming:
        """How names are read."""
        return Naming(self.composition, self.ice_prefixes)


class Reading:
    """One reading of a network: its options, and what was noticed on the way.

    Parameters
    ----------
    options
        How the network is read.

    Attributes
    ----------
    naming
        How names are read.
    rows
        Number of rows that were looked at.
    skipped
        One line per row that was left out: place and reason.
    """

    def __init__(self, options: ReadingOptions | None = None) -> None:
        self.options = options or ReadingOptions()
        self.naming = self.options.naming
        self.rows = 0
        self.skipped: list[str] = []
        self._n_read = 0
        self._standard = lru_cache(maxsize=None)(self.naming.standard)
        self._noticed: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    @property
    def notes(self) -> list[str]:
        """What was chosen where rows left a choice: a line per kind, with number of rows and the first."""
        return [
            f"{text} ({count} row{'s' if count > 1 else ''}, the first is {self._first[text]})"
            for text, count in self._noticed.items()
        ]

    def notice(self, text: str, where: str) -> None:
        """Note a choice that was made for a row."""
        self._noticed[text] += 1
        self._first.setdefault(text, where)

    def outside(self, of_format: str) -> str:
        """Return what reactions do outside their ranges: what the user says, else what the format says."""
        chosen = self.options.outside_range
        return of_format if chosen == "file" else chosen

    def names(self, names: Iterable[str], where: str) -> tuple[str, ...]:
        """Return names in chemnet's spelling (UCLCHEM's capitals); empty places are left out.

        Raises
        ------
        DataError
            A name is not a formula.

        Examples
        --------
        >>> Reading().names(["He+", "", "e-"], "network.txt:3")
        ('HE+', 'E-')
        """
        try:
            return tuple(self._standard(name.strip()) for name in names if name.strip())
        except DataError as error:
            raise DataError(f"{where}: {error.message}", hint=error.hint) from error

    def read_rows(
        self, path: Path, lines: Iterable[tuple[int, str]], parse: Callable[[str, str], Sequence[Reaction]]
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
            Some rows are refused and `skip_unreadable` is off, hardly any row can be read, or there is no
            reaction in the file.
        """
        reactions: list[Reaction] = []
        refused: list[DataError] = []
        for number, text in lines:
            try:
                found = parse(text, f"{path.name}:{number}")
            except DataError as error:
                refused.append(error)
            else:
                reactions.extend(found)
                self.rows += bool(found)  # a line that sets a variable or a format is no row
        self.rows += len(refused)
        unknown = len(refused) > _MOST_REFUSED * max(len(reactions) + len(refused), _LISTED)
        if unknown and not (self.options.skip_unreadable and self._n_read):
            raise _not_recognised(path, refused)
        if refused and not self.options.skip_unreadable:
            raise _joined(path, refused)
        self.skipped += [error.message for error in refused]
        self._n_read += len(reactions)
        if not self._n_read:
            raise DataError(f"{path}: no reaction in the file", hint="check that it is the network file")
        return reactions


def _plain(value: Any) -> Any:
    """Return a value of the configuration as plain Python."""
    return dict(value) if isinstance(value, Mapping) else value


def split_partner(names: Sequence[str], partners: Iterable[str]) -> tuple[list[str], str]:
    """Separate the species of one side of a reaction from the word for cosmic rays or photons.

    Parameters
    ----------
    names
        One side of a reaction, as written; empty places allowed.
    partners
        The words of this format; letters in any case.

    Returns
    -------
    tuple
        Species as written, and the partner in the spelling of `partners` (empty without one).

    Examples
    --------
    >>> split_partner(["H2", "crp"], ["CRP", "CRPHOT", "PHOTON"])
    (['H2'], 'CRP')
    """
    words = {word.upper(): word for word in partners}
    found = [words[name.strip().upper()] for name in names if name.strip().upper() in words]
    return [name.strip() for name in names if name.strip() and name.strip().upper() not in words], "".join(
        found[:1]
    )


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
    hints = list({error.hint[:_SAME_HINT]: error.hint for error in reversed(refused) if error.hint}.values())
    hints = hints[::-1][:_HINTS]
    if len(refused) == 1:
        return refused[0]
    lines = [error.message for error in refused[:_LISTED]]
    if len(refused) > _LISTED:
        lines.append(f"... and {len(refused) - _LISTED} more")
    hints.append("or leave such rows out, all of them listed: network.skip_unreadable=true")
    return DataError(
        f"{path}: {len(refused)} rows are refused\n  " + "\n  ".join(lines), hint="; ".join(hints)
    )

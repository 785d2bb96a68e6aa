"""KROME's network files (Grassi et al. 2014): comma-separated rows with rates as Fortran expressions.

- `@format:idx,R,R,P,P,Tmin,Tmax,rate` names the columns of the rows below it; without one they are
  `idx,R,R,R,P,P,P,P,Tmin,Tmax,rate`. `R` and `P` columns may be empty.
- `@var:name=expression` defines a variable for the rows below it; a later definition replaces it.
- `@common:user_...` announces variables of the host program. chemnet knows user_Av [mag], user_crate,
  user_crflux and user_zeta [s^-1] and user_G0 [Habing]; any other one needs an `@var` line.
- `Tmin` and `Tmax` may be NONE (no limit) or start with .LE. .LT. .GE. .GT. < >.
- `@ghost:` lists species without reactions. Marks for KROME's tables, groups and blocks change nothing here.
- Photo and X-ray blocks hold cross-sections over photon energy. chemnet's radiation field has no spectrum, so
  a row there is read only if its rate is plain, and refused if it is `auto`, a file or uses energy_eV.

The electron is E; names are in any case, so that Co would be CO; `g`, photons and CR are no species.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chemnet.chemistry.formats.expressions import INPUTS, RateExpression, compile_expression
from chemnet.chemistry.formats.row_files import (
    Reading,
    network_species,
    split_partner,
)
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.errors import DataError, suggest
from chemnet.text_files import data_lines, number

DEFAULT_FORMAT = ("idx", "r", "r", "r", "p", "p", "p", "p", "tmin", "tmax", "rate")
"""Columns of a file without an `@format` line."""

_COLUMNS = frozenset(DEFAULT_FORMAT) | {"k", "qeff", "qpp"}
_PARTNERS = ("G", "CR", "CRP", "PHOTON")
_NO_LIMIT = frozenset({"", "N", "NONE", "N/A", "NO"})
_COMPARISONS = (".LE.", ".LT.", ".GE.", ".GT.", "<", ">")
_COMMENTS = ("#", "//")
_BLOCKS = ("notab", "storeonce", "cr", "catalysis", "photo", "xray")
_MARKS = frozenset(
    {"notabnext", "notab_next"}
    | {f"{block}_{end}" for block in _BLOCKS for end in ("start", "begin", "stop", "end")}
)
_BEGIN, _END = ("start", "begin"), ("stop", "end")
_CODE_BLOCKS = {
    "cooling": "",
    "heating": "",
    "reactionmodifier": "changes rates",
    "odemodifier": "changes the rate equations",
    "ode": "changes the rate equations",
    "surface": "describes reactions on surfaces",
}
"""Blocks of Fortran and what they change; cooling changes nothing where temperatures are given."""
_MOST_REACTANTS = 3
_EXAMINED = 200


def matches(path: Path) -> bool:
    """Whether `path` has one of KROME's @ lines, or rows in its default format."""
    if not path.is_file():
        return False
    lines = [line.strip() for _, line in data_lines(path, _COMMENTS)[:_EXAMINED]]
    if any(line.lower().startswith(("@format:", "@var:", "@common:")) for line in lines):
        return True
    rows = [line.split(",", len(DEFAULT_FORMAT) - 1) for line in lines]
    return any(len(row) == len(DEFAULT_FORMAT) and row[0].strip().isdigit() for row in rows)


def read(path: Path, reading: Reading | None = None) -> tuple[list[NetworkSpecies], list[Reaction]]:
    """Read a network file of KROME.

    Parameters
    ----------
    path
        File such as KROME's `networks/react_primordial`.
    reading
        How names, ranges and unreadable rows are taken, and the variables of the host program.

    Returns
    -------
    tuple
        Species in order of appearance and in UCLCHEM's spelling, and reactions of kind EXPRESSION.

    Raises
    ------
    DataError
        Rows with a wrong number of columns, a bad limit, a name that is no formula or a rate that is no
        arithmetic of known names, and @ lines that chemnet does not support; each is named by file and line.
    """
    file = _KromeFile(reading or Reading())
    reactions = file.reading.read_rows(path, data_lines(path, _COMMENTS), file.line)
    return network_species(reactions, file.ghosts), reactions


@dataclass
class _KromeFile:
    """What the lines read so far say about the next one."""

    reading: Reading
    columns: tuple[str, ...] = DEFAULT_FORMAT
    variables: dict[str, str] = field(default_factory=dict)
    ghosts: list[str] = field(default_factory=list)
    in_comment: bool = False
    block: str = ""
    needs_spectrum: bool = False

    def line(self, text: str, where: str) -> list[Reaction]:
        """Take one line: a directive changes the state, a row gives a reaction."""
        text = text.strip()
        if self._is_comment(text) or self._is_in_block(text, where):
            return []
        if text.startswith("@"):
            self._directive(text[1:], where)
            return []
        reaction = self._reaction(text, where)
        if reaction.t_max < reaction.t_min:
            self.reading.notice("rows whose limits leave no temperature (>x,.LE.x) never count", where)
            return []
        return [reaction]

    def _is_comment(self, text: str) -> bool:
        opened = self.in_comment or text.startswith("/*")
        self.in_comment = opened and "*/" not in text
        return opened

    def _is_in_block(self, text: str, where: str) -> bool:
        """Whether a line belongs to a block of Fortran; one that changes rates is refused where it begins."""
        word, _, end = text.lstrip("@").lower().rpartition("_")
        if text.startswith("@") and word in _CODE_BLOCKS and end in _BEGIN + _END:
            self.block = word if end in _BEGIN else ""
            if end in _BEGIN and _CODE_BLOCKS[word]:
                raise DataError(
                    f"{where}: the block @{word} {_CODE_BLOCKS[word]}, in Fortran that chemnet does not run",
                    hint="put what it does into the rates; or leave it out with network.skip_unreadable=true",
                )
            return True
        return bool(self.block)

    def _directive(self, text: str, where: str) -> None:
        word, colon, rest = (part.strip() for part in text.partition(":"))
        word = word.lower()
        actions: dict[str, Callable[[str, str], None]] = {
            "format": self._set_format,
            "var": self._define,
            "ghost": self._add_ghosts,
            "common": _ignore,
            "commons": _ignore,
            "group": _ignore,
            "cooling": _ignore,
        }
        if colon and word in actions:
            actions[word](rest, where)
        elif word in _MARKS:
            block, _, end = word.partition("_")
            if block in ("photo", "xray"):
                self.needs_spectrum = end in ("start", "begin")
        else:
            known = [f"@{name}:" for name in actions] + [f"@{name}" for name in _MARKS]
            raise DataError(f"{where}: @{word} is not supported", hint=suggest(f"@{word}", known))

    def _set_format(self, rest: str, where: str) -> None:
        columns = tuple(column.strip().lower() for column in rest.split(","))
        unknown = [column for column in columns if column not in _COLUMNS]
        if unknown:
            raise DataError(
                f"{where}: unknown column {unknown[0]!r} in @format", hint=suggest(unknown[0], _COLUMNS)
            )
        if "r" not in columns or not {"rate", "k"} & set(columns):
            raise DataError(
                f"{where}: @format needs at least one R column and a rate, found {rest}",
                hint="write it as in @format:idx,R,R,P,P,Tmin,Tmax,rate",
            )
        self.columns = columns

    def _define(self, rest: str, where: str) -> None:
        """Take over the variable of an @var line; its value is looked at when a rate uses it."""
        name, equals, value = (part.strip() for part in rest.partition("="))
        if not equals or not name.isidentifier() or not value or name.lower() in INPUTS:
            raise DataError(
                f"{where}: @var:{rest} defines no variable", hint="write it as in @var:power=-0.5d0"
            )
        self.variables[name.lower()] = value

    def _add_ghosts(self, rest: str, where: str) -> None:
        self.ghosts.extend(self.reading.names(map(_krome_name, rest.split(",")), where))

    def _reaction(self, text: str, where: str) -> Reaction:
        fields = [part.strip() for part in text.split(",", len(self.columns) - 1)]
        if len(fields) != len(self.columns):
            raise DataError(
                f"{where}: {len(fields)} columns, but the format in force has {len(self.columns)} "
                f"({','.join(self.columns)})",
                hint="complete the row, or put the right @format line above it",
            )
        row = list(zip(self.columns, fields, strict=True))
        reactants = self._side(row, "r", where)
        if not 1 <= len(reactants) <= _MOST_REACTANTS:
            raise DataError(
                f"{where}: {len(reactants)} reacting species", hint=f"a row has 1 to {_MOST_REACTANTS}"
            )
        products = self._side(row, "p", where)
        t_min, t_max = _limits(row, where)
        rate = next(value for name, value in row if name in ("rate", "k"))
        return Reaction(
            reactants=reactants,
            products=products,
            kind="EXPRESSION",
            alpha=1.0,
            t_min=t_min,
            t_max=t_max,
            outside=self.reading.outside("zero"),
            reference="KROME",
            source=where,
            expression=self._rate(rate, f"{' + '.join(reactants)} -> {' + '.join(products)}", where),
        )

    def _side(self, row: list[tuple[str, str]], column: str, where: str) -> tuple[str, ...]:
        names = [_krome_name(value) for name, value in row if name == column]
        return self.reading.names(split_partner(names, _PARTNERS)[0], where)

    def _rate(self, text: str, reaction: str, where: str) -> RateExpression:
        """Compile the rate of a row; a rate that the user gives for the reaction comes first."""
        given = {name: str(value) for name, value in self.reading.options.variables.items()}
        text = given.get(reaction, text)
        if _is_cross_section(text):
            text = given.get("auto", text)
        if _is_cross_section(text):
            raise DataError(
                f"{where}: the rate {text!r} is a cross-section over photon energy, "
                "and chemnet's radiation field has no spectrum",
                hint="give a rate, here or by key: "
                f"network.variables = {{ '{reaction}' = '5.6d-10*user_G0*exp(-3.7*user_Av)' }}",
            )
        try:
            rate = compile_expression(text, self.variables | given)
        except DataError as error:
            block = " (in a photo or X-ray block)" if self.needs_spectrum else ""
            raise DataError(f"{where}: rate{block}: {error.message}", hint=error.hint) from error
        if rate.densities:
            self.reading.notice(
                "rates that depend on abundances keep, over each row of a tracer, their value at its "
                "beginning",
                where,
            )
        return rate


def _is_cross_section(text: str) -> bool:
    """Whether a rate is a cross-section over photon energy, from a database, a file or a formula."""
    return text.lower() == "auto" or text.startswith("@") or "energy_ev" in text.lower()


def _ignore(rest: str, where: str) -> None:
    """Leave a line that says nothing about rates or species."""


def _krome_name(name: str) -> str:
    """Return a name without regard to case, as KROME reads it; isomer prefixes keep their small letter."""
    name = name.strip()
    prefix = name[:2] if name[1:2] in ("-", "_") and name[:1].islower() else ""
    return prefix + name[len(prefix) :].upper()


def _limits(row: list[tuple[str, str]], where: str) -> tuple[float, float]:
    texts = dict(row)
    t_min = _limit(texts.get("tmin", ""), 0.0, "Tmin", where)
    t_max = _limit(texts.get("tmax", ""), math.inf, "Tmax", where)
    if math.nextafter(t_max, math.inf) < t_min:
        raise DataError(f"{where}: Tmin = {t_min:g} K is above Tmax = {t_max:g} K", hint="swap the two")
    return t_min, t_max


def _limit(text: str, otherwise: float, what: str, where: str) -> float:
    """Return one limit of a temperature range [K]; `<` and `>` leave the limit itself out."""
    text = text.strip().upper()
    sign = next((one for one in _COMPARISONS if text.startswith(one)), "")
    text = text.removeprefix(sign).strip()
    if text in _NO_LIMIT:
        return otherwise
    value = number(text, what, where)
    beyond = {".LT.": -math.inf, "<": -math.inf, ".GT.": math.inf, ">": math.inf}.get(sign)
    return value if beyond is None else math.nextafter(value, beyond)

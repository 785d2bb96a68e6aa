"""Read a species name as a chemical formula: elements, charge, phase and mass.

Reading rules, in this order:

1. ``#`` before the formula or ``_ice``, ``_surface``, ``_dust`` after it: on the surface of grains; ``@`` or
   ``_bulk``: in the bulk of the ice; else gas.
2. ``E-``, ``e-``, ``E``, ``e``, ``electron``: the electron. ``GRAIN``, ``GRAIN0``, ``GRAIN-``, ``GRAIN+``: a
   dust grain, without elements.
3. A trailing run of ``+`` or ``-`` is the charge (``He++``: 2; ``Fe2+`` is a dimer of charge 1, like
   ``H2+``).
4. Isomer and state labels belong to the name, not to the formula: ``l-``, ``c-``, ``o-``, ``p-``, ``cis-``,
   ... (also ``C-C3H2``, ``c_C3H2``, and single letters as in ``lC3H``), ``_ortho``, ``_para``, ..., ``*``,
   and term symbols as in ``O(1D)``.
5. What is left is a formula: symbols, counts, groups in parentheses with a count (``CH3(CH2)2OH``). If it
   holds a lower-case letter, it is in normal spelling (``Co`` cobalt, ``CO`` carbon monoxide). Without one it
   is in UCLCHEM's capitals: two-letter symbols win (``SI``, ``CL``, ``NA``) unless both letters are light
   elements (``CO``, ``CS``, ``HS``, ``SN`` are two atoms each), see
   `chemnet.chemistry.network.elements.symbols_in_capitals`.
6. An isotope stands in brackets: ``[13C]O``, ``H[13C]O+``, ``C[18O]``; it is an element of its own. Without
   brackets a number that reads as the mass number of the atom after it (``C18O``, ``H13CO+``) or, for N and
   heavier ones, before it (``CO18``) is refused: it would be 18 carbons.
7. A name that is no formula carries one in braces: ``PAH{C54H18}-``, ``CHX{CH}``; with ``{}`` its atoms do
   not count, like those of a grain. `chemnet.chemistry.network.species_names` makes such names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from chemnet.chemistry.network.elements import (
    ATOMIC_WEIGHTS,
    ELECTRON_MASS,
    ISOTOPE_MASSES,
    WEIGHTS_IN_CAPITALS,
    symbols_in_capitals,
)
from chemnet.errors import DataError

ELECTRON = "E-"
"""The electron's name in chemnet."""

REACTION_PARTNERS = frozenset(
    {"CRP", "CRPHOT", "CR", "PHOTON", "PHOT", "G", "M", "NAN", "NONE", "BULK", "SURFACE"}
)
"""Words (in capitals) that fill a reactant's place in some format, or name a sum, and are no species."""

_ELECTRON_NAMES = frozenset({"E-", "e-", "E", "e", "electron", "ELECTRON"})
_SURFACE_SUFFIXES = frozenset({"ice", "surface", "dust"})
_STATE_SUFFIXES = frozenset({"ortho", "para", "meta", "cis", "trans", "anti", "gauche", "excited"})
_GRAIN = re.compile(r"GRAIN(0|\++|-+)?", re.IGNORECASE)
_PREFIX = re.compile(
    r"(?:(?:cis|trans|anti|gauche|ortho|para|meta|cyc|lin|[a-zEZ\d])[-_]|[lcopmti](?=[A-Z(])"
    r"|(?:CIS|TRANS|ANTI|GAUCHE|ORTHO|PARA|META|CYC|LIN|[A-Z])-(?=[A-Z([]))"
)
_DESCRIPTORS = ("E-", "Z-")  # of double bonds: capitals on purpose
_CHARGE = re.compile(r"\++$|-+$")
_ISOTOPE = re.compile(r"\[(\d+[A-Za-z]{1,2})\]")
_DECLARED = re.compile(r"([^{}]+)\{([^{}]*)\}(\++|-+|)")
_ISOTOPES = frozenset(map(str.upper, ISOTOPE_MASSES))
_CHAIN_FORMER = "C"  # 13 carbons in a row do exist, 15 nitrogens do not
_MOST_PER_OTHER = 3  # oxides of metals (Al12O18) have less than this per other atom
# of a count, and of all atoms: grains and polymers have no formula
_MOST_DIGITS = 5
_STATE_MARK = re.compile(r"(?:\(\d[SPDFG]?\)|\*)(?=[+-]*$)")


@dataclass(frozen=True)
class Species:
    """One chemical species.

    Attributes
    ----------
    name
        The name as it was given, isomer labels and phase marks included.
    elements
        Number of atoms by element symbol in capitals, in the order of the formula.
    charge
        Charge [elementary charges].
    phase
        "gas", "surface" or "bulk".
    mass
        Sum of the standard atomic weights less the mass of the missing electrons [amu]; a grain's own mass is
        not known and left out.
    isomer
        Labels that tell isomers or states apart, as they were written; empty without one.
    """

    name: str
    elements: dict[str, int] = field(hash=False)
    charge: int
    phase: str
    mass: float
    isomer: str = ""

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return sum(self.elements.values())


def parse_species(name: str) -> Species:
    """Read a species name.

    Parameters
    ----------
    name
        A name such as ``H2O``, ``#CH3OH``, ``SIO+``, ``SiO+``, ``l-C3H2``, ``CO_ice`` or ``E-``.

    Returns
    -------
    Species
        Its elements, charge, phase and mass.

    Raises
    ------
    DataError
        The name is no formula by the rules at the top of this module.

    Examples
    --------
    >>> parse_species("#CH3OH").elements
    {'C': 1, 'H': 4, 'O': 1}
    >>> parse_species("SIO+").elements == parse_species("SiO+").elements
    True
    >>> parse_species("CO").elements, parse_species("Co").elements
    ({'C': 1, 'O': 1}, {'CO': 1})
    >>> parse_species("E-").charge, parse_species("@H2O").phase, parse_species("c-C3H2").isomer
    (-1, 'bulk', 'c-')
    """
    elements, charge, phase, isomer = _dissect(name.strip())
    mass = sum(WEIGHTS_IN_CAPITALS[symbol] * count for symbol, count in elements) - charge * ELECTRON_MASS
    return Species(name.strip(), dict(elements), charge, phase, mass, isomer)


def is_species(name: str) -> bool:
    """Return whether `name` reads as a species.

    Examples
    --------
    >>> is_species("H3O+"), is_species("CRPHOT"), is_species("Xy2")
    (True, False, False)
    """
    try:
        _dissect(name.strip())
    except DataError:
        return False
    return True


def key_for(name: str) -> str:
    """Return how an isotope or a marked ice is written or declared, empty for any other name.

    Examples
    --------
    >>> key_for("JH2O"), key_for("Time")
    ("if 'J' marks ice: network.ice_prefixes = { J = 'surface' } (or 'bulk')", '')
    """
    try:
        _dissect(name.strip())
    except DataError as error:
        return "" if not error.hint or error.hint.startswith(_SPELLING) else error.hint
    return ""


def standard_name(name: str) -> str:
    """Return the name in UCLCHEM's capitals, with the phase as a prefix.

    Species of networks in different spellings are the same when their standard names are.

    Raises
    ------
    DataError
        The name is no formula, or it holds a metal whose capitals would read as two light elements (``Co``).

    Examples
    --------
    >>> standard_name("SiO+"), standard_name("CO_ice"), standard_name("e-"), standard_name("l-C3H2")
    ('SIO+', '#CO', 'E-', 'l-C3H2')
    """
    species = parse_species(name)
    if species.name in _ELECTRON_NAMES:
        return ELECTRON
    body, _ = _take_phase(species.name)
    prefix = match.group() if (match := _PREFIX.match(body)) else ""
    label = prefix if prefix in _DESCRIPTORS else prefix.lower()
    capitals = {"gas": "", "surface": "#", "bulk": "@"}[species.phase] + label + body[len(prefix) :].upper()
    if parse_species(capitals).elements != species.elements:
        raise DataError(
            f"species {name!r} has no unambiguous name in capitals: {capitals!r} reads as another formula",
            hint="keep the normal spelling for networks with this element",
        )
    return capitals


@lru_cache(maxsize=16384)
def _dissect(name: str) -> tuple[tuple[tuple[str, int], ...], int, str, str]:
    """Return (elements as pairs, charge, phase, isomer labels) of a stripped name."""
    body, phase = _take_phase(name)
    if body in _ELECTRON_NAMES and phase == "gas":
        return (), -1, phase, ""
    if grain := _GRAIN.fullmatch(body):
        mark = grain.group(1) or ""
        return (), mark.count("+") - mark.count("-"), phase, ""
    if declared := _DECLARED.fullmatch(body):
        label, formula, run = declared.groups()
        elements, _, _, isomers = _dissect(formula) if formula else ((), 0, "", "")
        return elements, run.count("+") - run.count("-"), phase, label + isomers
    if name.upper() in REACTION_PARTNERS and name not in ATOMIC_WEIGHTS:
        raise _refusal(name, "this word stands for a reaction partner or a sum, not for a species")
    body, isomer = _take_labels(body)
    run = match.group() if (match := _CHARGE.search(body)) else ""
    formula = body[: len(body) - len(run)]
    return tuple(_count_atoms(name, formula).items()), run.count("+") - run.count("-"), phase, isomer


def _take_phase(name: str) -> tuple[str, str]:
    if name[:1] in ("#", "@"):
        return name[1:], "surface" if name[0] == "#" else "bulk"
    head, bar, tail = name.rpartition("_")
    if bar and tail.lower() in _SURFACE_SUFFIXES:
        return head, "surface"
    if bar and tail.lower() == "bulk":
        return head, "bulk"
    return name, "gas"


def _take_labels(body: str) -> tuple[str, str]:
    """Split isomer and state labels off a formula; the charge stays with the formula."""
    labels = []
    if prefix := _PREFIX.match(body):
        labels.append(prefix.group())
        body = body[prefix.end() :]
    head, bar, tail = body.rpartition("_")
    word = tail.rstrip("+-")
    if bar and word.lower() in _STATE_SUFFIXES:
        labels.append(f"_{word}")
        body = head + tail[len(word) :]
    if match := _STATE_MARK.search(body):
        labels.append(match.group())
        body = body[: match.start()] + body[match.end() :]
    return body, "".join(labels)


def _count_atoms(name: str, formula: str) -> dict[str, int]:
    """Return the atoms by element of a bare formula, groups expanded."""
    symbols = frozenset(ATOMIC_WEIGHTS) if re.search("[a-z]", formula) else symbols_in_capitals()
    stack: list[Counter[str]] = [Counter()]
    written_behind: list[tuple[str, str]] = []
    position = 0
    while position < len(formula):
        symbol = _symbol_at(formula, position, symbols)
        rest = formula[position + len(symbol) :]
        if isotope := _ISOTOPE.match(formula, position):
            symbol = _isotope(name, isotope.group(1))
            rest = formula[isotope.end() :]
            position += isotope.end() - isotope.start() - len(symbol)
        if symbol:
            count = _leading_count(name, rest)
            following = _symbol_at(rest, len(count), symbols)
            _refuse_isotope(name, symbol, count, {f"{count}{following}", f"{count[-2:]}{following}"})
            if count and f"{count}{symbol}".upper() in _ISOTOPES and symbol.upper() != _CHAIN_FORMER:
                written_behind.append((symbol, count))
            stack[-1][symbol.upper()] += int(count or 1)
            position += len(symbol) + len(count)
        elif formula[position] == "(":
            stack.append(Counter())
            position += 1
        elif formula[position] == ")" and len(stack) > 1 and stack[-1]:
            count = _leading_count(name, rest[1:])
            for element, atoms in stack.pop().items():
                stack[-1][element] += atoms * int(count or 1)
            if stack[-1].total() >= 10**_MOST_DIGITS:
                raise _refusal(name, f"it has {10**_MOST_DIGITS:,} atoms or more")
            position += 1 + len(count)
        else:
            raise _refusal(name, f"nothing known starts at {formula[position:]!r}")
    if len(stack) > 1:
        raise _refusal(name, "a parenthesis is not closed")
    if not stack[0]:
        raise _refusal(name, "there is no element in it")
    for symbol, count in written_behind:
        if int(count) > _MOST_PER_OTHER * (sum(stack[0].values()) - int(count) + 1):
            _refuse_isotope(name, symbol, count, {f"{count}{symbol}"})
    return dict(stack[0])


def _isotope(name: str, written: str) -> str:
    """Return the isotope inside brackets in capitals."""
    if written.upper() not in _ISOTOPES:
        raise _refusal(name, f"{written!r} is no isotope that chemnet knows ({', '.join(ISOTOPE_MASSES)})")
    return written.upper()


def _refuse_isotope(name: str, symbol: str, count: str, readings: Iterable[str]) -> None:
    """Refuse a count that is the mass number of an atom beside it."""
    isotope = next((one.upper() for one in readings if one.upper() in _ISOTOPES), "")
    if count and isotope:
        raise DataError(
            f"{name!r} is not a species name: {count} would be a number of {symbol} atoms, but reads as the "
            f"isotope {isotope}",
            hint=f"write the isotope in brackets, as in {_bracketed(name)}, or map the name: "
            f"{_KEY} = {{ {_quoted(name)} = '{_bracketed(name)}' }}",
        )


def _symbol_at(formula: str, position: int, symbols: Iterable[str]) -> str:
    """Return the longest element symbol at a position, empty without one."""
    pair = formula[position : position + 2]
    return next((piece for piece in (pair, pair[:1]) if piece in symbols), "")


def _leading_count(name: str, text: str) -> str:
    """Return the digits at the start of a text; a count of zero is refused."""
    digits = match.group() if (match := re.match(r"[0-9]+", text)) else ""
    if len(digits) > _MOST_DIGITS:
        raise _refusal(name, f"a count has {len(digits)} digits")
    if digits and int(digits) == 0:
        raise _refusal(name, "a count is zero")
    return digits


_KEY = "network.composition"
_SPELLING = "write symbols with counts, as in CH3OH, SIO+, SiO+, #H2O (surface), @H2O (bulk), E- (electron)"


def _bracketed(name: str) -> str:
    """Return a name with its first isotope in brackets; that of carbon monoxide where it has none."""
    for isotope in ISOTOPE_MASSES:
        mass, symbol = re.fullmatch(r"(\d+)(\D+)", isotope).groups()  # type: ignore[union-attr]
        for written in (f"({isotope})", f"^{isotope}", isotope, f"{symbol}{mass}"):
            for text in (written, written.upper()):
                if text in name:
                    return name.replace(text, f"[{isotope}]", 1)
    return "[13C]O"


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f"'{name}'"


def _refusal(name: str, reason: str) -> DataError:
    hint = _SPELLING
    if re.match(r"[#@^(]?\d", name):
        hint = (
            f"write an isotope in brackets, as in {_bracketed(name)}, or map the name: "
            f"{_KEY} = {{ {_quoted(name)} = '{_bracketed(name)}' }}"
        )
    elif re.match(r"[JKbsgm][A-Zc(]", name):
        hint = f"if {name[0]!r} marks ice: network.ice_prefixes = {{ {name[0]} = 'surface' }} (or 'bulk')"
    elif re.fullmatch(r"[#@]?[A-Z]\w*[+-]*", name):
        hint += f"; for a group of species declare what it is made of: {_KEY} = {{ {_quoted(name)} = 'CH' }}"
    return DataError(f"{name!r} is not a species name: {reason}", hint=hint)

"""Names that do not say what they are made of: declared compositions, marks of ice, accidents."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from chemnet.chemistry.network.elements import COMMON_ELEMENTS
from chemnet.chemistry.network.species import Species, parse_species, standard_name
from chemnet.errors import ConfigError, DataError
from chemnet.progress import get_logger

PHASES = {"surface": "#", "bulk": "@"}
"""Where ice is, and the mark of it in chemnet's names."""

_log = get_logger(__name__)
_CHARGE = re.compile(r"(?:\++|-+)$")


@dataclass(frozen=True)
class Naming:
    """How the names of a network or a table are read.

    Parameters
    ----------
    composition
        Formula by name, for names that are not formulae: `{"PAH": "C54H18", "C18O": "C[18O]"}`. A name stands
        for its ions and ices too, and is read in any case. An empty formula is a particle whose atoms do not
        count, like a dust grain.
    ice_prefixes
        Phase (`surface` or `bulk`) by the sign in front of the formula: `{"J": "surface", "K": "bulk"}` for
        Nautilus, where `KH2O` is water in the mantle.
    """

    composition: Mapping[str, str] = field(default_factory=dict)
    ice_prefixes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, formula in self.composition.items():
            _check_formula(name, formula)
        for prefix, phase in self.ice_prefixes.items():
            if phase not in PHASES:
                raise ConfigError(
                    f"network.ice_prefixes: {prefix!r} is {phase!r}",
                    hint=f"a phase is one of {', '.join(PHASES)}",
                )

    def described(self, name: str) -> str:
        """Return a name that says what it is made of: declared formula and mark of the phase put in.

        Other names stay as they are.

        Examples
        --------
        >>> naming = Naming({"PAH": "C54H18", "C18O": "C[18O]"}, {"J": "surface"})
        >>> [naming.described(name) for name in ("PAH-", "C18O", "JH2O", "SiO")]
        ['PAH{C54H18}-', 'C[18O]', '#H2O', 'SiO']
        """
        name = self._marked(name.strip())
        if not self.composition:
            return name
        phase = name[:1] if name[:1] in PHASES.values() else ""
        body = name[len(phase) :]
        for stem in (body, _CHARGE.sub("", body)):
            formula = self._formulae.get(stem.upper())
            if formula is not None:
                charge = _charge(body)
                bare = _CHARGE.sub("", formula)
                # an isotope's formula is a name already
                return phase + (bare if "[" in bare else f"{_CHARGE.sub('', stem)}{{{bare}}}") + charge
        return name

    def standard(self, name: str) -> str:
        """Return a name in chemnet's spelling.

        Raises
        ------
        DataError
            It is no formula and has no declared composition.

        Examples
        --------
        >>> Naming({"PAH": "C54H18"}).standard("pah-"), Naming().standard("SiO")
        ('PAH{C54H18}-', 'SIO')
        """
        return standard_name(self.described(name))

    @cached_property
    def _formulae(self) -> dict[str, str]:
        return {name.upper(): formula for name, formula in self.composition.items()}

    def _marked(self, name: str) -> str:
        """Return a name with chemnet's mark of the phase in place of a prefix."""
        for prefix in sorted(self.ice_prefixes, key=len, reverse=True):
            rest = name.removeprefix(prefix)
            if rest != name and rest.strip("+-"):
                return PHASES[self.ice_prefixes[prefix]] + rest
        return name


def accidental_elements(names: Iterable[str]) -> dict[str, str]:
    """Return the names that read as a formula by accident, each with the element that gives it away.

    An element that is not among `COMMON_ELEMENTS` belongs to a network that has its atom or atomic ion and at
    least one more species of it. `PAH` reads as protactinium and hydrogen, but no network has Pa.

    Parameters
    ----------
    names
        All names of a network or a table.

    Examples
    --------
    >>> accidental_elements(["H", "PAH", "K", "KCL", "CL"])
    {'PAH': 'PA'}
    """
    atoms: dict[str, set[str]] = {}
    for name in dict.fromkeys(names):
        for element in () if "{" in name else parse_species(name).elements:
            if element not in COMMON_ELEMENTS and not element[0].isdigit():
                atoms.setdefault(element, set()).add(name)
    return {name: element for element, group in atoms.items() if not _is_family(group) for name in group}


def refuse_accidents(names: Iterable[str], where: Mapping[str, str] | None = None) -> None:
    """Refuse names that read as a formula by accident.

    Parameters
    ----------
    names
        As for `accidental_elements`.
    where
        Place of a name (`file:line`), for the message.

    Raises
    ------
    DataError
        Naming each of them with its element, and the key that declares a composition.
    """
    names = list(dict.fromkeys(names))
    found = accidental_elements(names)
    if not found:
        _warn_of_letters_for_charges(names)
        return
    places = where or {}
    lines = [
        f"{places[name] + ': ' if name in places else ''}{name!r} reads as a formula with "
        f"{element.capitalize()}, of which "
        "there is no atom beside it"
        for name, element in found.items()
    ]
    stems = list(dict.fromkeys(_CHARGE.sub("", name.lstrip("#@")) for name in found))
    hints = []
    if any(stem.startswith("K") for stem in stems):
        hints.append("if K marks ice in the mantle: network.ice_prefixes = { K = 'bulk', J = 'surface' }")
    formula = "C54H18" if "PAH" in stems[0].upper() else "..."
    hints.append(f"declare what it is made of: network.composition = {{ '{stems[0]}' = '{formula}' }}")
    raise DataError("\n  ".join(lines), hint="; ".join(hints))


def _warn_of_letters_for_charges(names: Iterable[str]) -> None:
    """Tell of names such as `HCOP` where nothing else holds phosphorus: P may stand for a plus sign."""
    group = {name for name in names if "{" not in name and "P" in parse_species(name).elements}
    doubted = sorted(name for name in group if name.upper().endswith("P") and name.upper() != "P")
    if doubted and not _is_family(group):
        _log.warning(
            "%s: read with phosphorus, of which there is no atom; if P stands for +, rename it: %s+",
            ", ".join(doubted[:5]),
            doubted[0][:-1],
        )


def _is_family(group: set[str]) -> bool:
    """Whether some species of one element are its atom (or atomic ion) and at least one more."""
    return len(group) > 1 and any(parse_species(name).n_atoms == 1 for name in group)


def _charge(body: str) -> str:
    return match.group() if (match := _CHARGE.search(body)) else ""


def _check_formula(name: str, formula: object) -> None:
    """Refuse a declared composition that is no formula; an empty one is a particle without atoms."""
    if formula == "":
        return
    try:
        declared = parse_species(str(formula))
    except DataError as error:
        raise ConfigError(
            f"network.composition: {name!r} is {formula!r}, which is no formula ({error.message})",
            hint="write symbols with counts, as in C54H18; isotopes in brackets",
        ) from error
    if _reads_otherwise(name, declared):
        _log.warning(
            "network.composition: %s reads as a formula by itself; it counts as the declared %s",
            name,
            formula,
        )


def _reads_otherwise(name: str, declared: Species) -> bool:
    """Return whether a name is a formula of common elements, and another one than declared."""
    try:
        read = parse_species(name)
    except DataError:
        return False
    return set(read.elements) <= COMMON_ELEMENTS and read.elements != declared.elements

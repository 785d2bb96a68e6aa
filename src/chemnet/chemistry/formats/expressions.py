"""Rate coefficients written as Fortran expressions of the physical state, with the variables they use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chemnet.chemistry.formats.arithmetic import evaluate, parse_arithmetic, variable_names
from chemnet.chemistry.formats.row_files import COSMIC_RAY_UNIT
from chemnet.errors import DataError, nearest

INPUTS = {
    "tgas": "gas temperature [K]",
    "state_av": "visual extinction [mag]",
    "state_zeta": "cosmic-ray ionisation rate [s^-1]",
    "state_radfield": "UV field [Habing]",
    "get_hnuclei": "density of H nuclei [cm^-3]",
    "state_tdust": "dust temperature [K]",
}
"""Names that an expression takes from the physical state; a file cannot define them."""

SHORTCUTS = {
    "t": "tgas",
    "logt": "log10(tgas)",
    "lnt": "log(tgas)",
    "te": "tgas*8.617343d-5",
    "lnte": "log(te)",
    "t32": "tgas/3d2",
    "t3": "t32",
    "t4": "tgas*1d-4",
    "invt": "1d0/tgas",
    "invtgas": "1d0/tgas",
    "invt32": "1d0/t32",
    "invte": "1d0/te",
    "sqrtgas": "sqrt(tgas)",
    "sqrt32": "sqrt(t32)",
    "invsqrt": "1d0/sqrt(tgas)",
    "invsqrt32": "1d0/sqrt(t32)",
    "tgas2": "tgas**2",
    "tgas3": "tgas**3",
    "tgas4": "tgas**4",
    "av": "state_av",
    "zeta": "state_zeta",
    "radfield": "state_radfield",
    "user_av": "state_av",
    "user_crate": "state_zeta",
    "user_crflux": "state_zeta",
    "user_zeta": "state_zeta",
    "user_g0": "state_radfield",
    "user_tdust": "state_tdust",
}
"""KROME's temperature shortcuts (Grassi et al. 2014) and the usual names of its user variables."""

# stands for the expression itself among the names of its variables
_WHOLE = ""
DUST_CHARGING = "state_radfield*exp(-1.8d0*state_av)*sqrt(tgas)/n_of_e"
"""G sqrt(T) / n_e, which charges grains; G behind the extinction as photodesorption sees it."""
_DENSITY = "n_of_"
"""Begins the name of the density of one species [cm^-3]; `n_of_all` is that of all particles."""
_ALL = "n_of_all"
_LEAST = 1e-30  # an abundance that is not zero, so that a rate may divide by it
_N = r"n\s*(?:\(\s*(?:1?\s*:\s*(?:nmols|krome_nmols)?)\s*\))?"
_REWRITTEN = (
    (re.compile(r"\bn\s*\(\s*(?:krome_)?idx_(\w+)\s*\)"), rf"{_DENSITY}\1"),
    (re.compile(rf"\bsum\s*\(\s*{_N}\s*\)"), _ALL),
    (re.compile(rf"\bdissh2_martin96\s*\(\s*{_N}\s*,"), "dissh2_martin96(get_hnuclei,"),
    (
        re.compile(rf"\b(dissh2h2?_hunter23)\s*\(\s*{_N}\s*,"),
        rf"\1(get_hnuclei,{_DENSITY}h,{_DENSITY}h2,",
    ),
    (re.compile(rf"\b(\w+_recombination_on_dust)\s*\(\s*{_N}\s*,"), rf"\1({DUST_CHARGING},"),
)
"""What KROME writes with its array of densities, and the names that stand for it here."""
_NUCLEI = re.compile(r"get_hnuclei\s*\(\s*n\s*(?:\(\s*:\s*\))?\s*\)")


@dataclass(frozen=True)
class RateExpression:
    """A rate coefficient as a function of the physical state; hashable and picklable.

    Attributes
    ----------
    text
        The expression in Fortran's notation, in small letters.
    definitions
        The variables that it needs, as pairs of name and expression, sorted by name.
    """

    text: str
    definitions: tuple[tuple[str, str], ...] = ()

    @property
    def inputs(self) -> frozenset[str]:
        """Which of `INPUTS` the value depends on."""
        return frozenset(_names_below(self.text, dict(self.definitions))) & frozenset(INPUTS)

    @property
    def densities(self) -> frozenset[str]:
        """Species whose densities the value depends on, in chemnet's spelling; `*` is all of the gas."""
        names = _names_below(self.text, dict(self.definitions))
        return frozenset(_species(name) for name in names if name.startswith(_DENSITY))

    def __call__(
        self,
        Tgas: ArrayLike,
        Av: ArrayLike = 0.0,
        zeta: ArrayLike = 1.0,
        radfield: ArrayLike = 1.0,
        density: ArrayLike | None = None,
        dust_temperature: ArrayLike | None = None,
        abundances: Mapping[str, ArrayLike] | None = None,
    ) -> NDArray[np.float64]:
        """Evaluate the rate coefficient.

        Parameters
        ----------
        Tgas
            Gas temperature [K].
        Av
            Visual extinction [mag].
        zeta
            Cosmic-ray ionisation rate [1.3e-17 s^-1].
        radfield
            UV field [Habing].
        density
            Density of H nuclei [cm^-3]; needed only where `inputs` has "get_hnuclei", or with abundances.
        dust_temperature
            Dust temperature [K]; None: that of the gas.
        abundances
            Abundances relative to H nuclei of all species in `densities`.

        Returns
        -------
        ndarray
            Rate coefficient in units of s^-1 and cm^3, in the shape that the arguments broadcast to.

        Raises
        ------
        DataError
            The expression depends on the density or an abundance and none is given.
        """
        dust = Tgas if dust_temperature is None else dust_temperature
        state = {"tgas": Tgas, "state_av": Av, "state_radfield": radfield, "state_tdust": dust}
        values = {name: np.asarray(value, dtype=np.float64) for name, value in state.items()}
        values["state_zeta"] = np.asarray(zeta, dtype=np.float64) * COSMIC_RAY_UNIT
        if density is not None:
            values["get_hnuclei"] = nuclei = np.asarray(density, dtype=np.float64)
            values |= self._densities(abundances or {}, nuclei)
        shape = np.broadcast_shapes(*(value.shape for value in values.values()))
        with np.errstate(all="ignore"):
            result = _value(self.text, dict(self.definitions), values)
        return np.broadcast_to(np.asarray(result, dtype=np.float64), shape).copy()

    def _densities(
        self, abundances: Mapping[str, ArrayLike], nuclei: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        """Return the densities [cm^-3] that the value depends on, by their name in the text."""
        names = _names_below(self.text, dict(self.definitions)) if abundances else []
        return {
            name: np.maximum(abundances[_species(name)], _LEAST) * nuclei
            for name in names
            if name.startswith(_DENSITY)
        }


def compile_expression(text: str, scope: Mapping[str, str] | None = None) -> RateExpression:
    """Read a rate expression.

    Parameters
    ----------
    text
        Expression in Fortran's notation, such as `1.d-9*(t32)**(-0.5)*exp(-100./Tgas)`; letters in any case.
    scope
        Variables that may occur, name to expression; they come before the shortcuts of the same name.

    Returns
    -------
    RateExpression
        The checked expression with the variables that it needs.

    Raises
    ------
    DataError
        The text is no arithmetic, or it uses an unknown name or function, or a variable is defined by itself.

    Examples
    --------
    >>> rate = compile_expression("2.d-9*T32**power", {"power": "-5d-1"})
    >>> float(rate(Tgas=75.0))
    4e-09
    """
    known = {name.lower(): value for name, value in (scope or {}).items() if name.lower() not in INPUTS}
    text = _normal(text)
    needed = _names_below(text, known)
    definitions = {name: _normal(known[name]) for name in needed if name in known}
    return RateExpression(text, tuple(sorted(definitions.items())))


def _normal(text: str) -> str:
    """Return an expression in small letters, without comment, KROME's array of densities resolved."""
    text = _NUCLEI.sub("get_hnuclei", text.split("!")[0].strip().lower())
    for pattern, name in _REWRITTEN:
        text = pattern.sub(name, text)
    return text


def _species(name: str) -> str:
    """Return the species of a name such as `n_of_hj`: KROME writes j for each + and k for each -."""
    if name == _ALL:
        return "*"
    body = name.removeprefix(_DENSITY).upper()
    bare = body[:1] + body[1:].rstrip("JK")
    charge = body[len(bare) :].replace("J", "+").replace("K", "-")
    return "E-" if body == "E" else bare + charge


def _names_below(text: str, known: Mapping[str, str]) -> list[str]:
    """Return every name that an expression depends on, each after those that it depends on itself."""
    # a walk without recursion: a file may chain thousands of variables
    begun: dict[str, Iterator[str]] = {_WHOLE: _names_in(text)}
    found: dict[str, None] = {}
    while begun:
        name, rest = next(reversed(begun.items()))
        below = next(rest, None)
        if below is None:
            del begun[name]
            found[name] = None
        elif below in begun:
            raise DataError(f"variable {below!r} is defined by itself", hint="rename one of the two")
        elif below not in found:
            begun[below] = _names_of(below, known)
    del found[_WHOLE]
    return list(found)


def _names_in(text: str) -> Iterator[str]:
    return iter(variable_names(parse_arithmetic(_normal(text))))


def _names_of(name: str, known: Mapping[str, str]) -> Iterator[str]:
    """Yield the names in the definition of a variable or shortcut; none for a part of the physical state."""
    if name in known or name in SHORTCUTS:
        return _names_in(known.get(name, SHORTCUTS.get(name, "")))
    if name not in INPUTS and not name.startswith(_DENSITY):
        raise _unknown_name(name, {*known, *INPUTS, *SHORTCUTS})
    return iter(())


def _value(
    text: str, known: Mapping[str, str], values: dict[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Evaluate an expression; each of its variables is evaluated once and kept in `values`."""
    for name in _names_below(text, known):
        if name in known or name in SHORTCUTS:
            definition = parse_arithmetic(known.get(name, SHORTCUTS.get(name, "")))
            values[name] = evaluate(definition, values.__getitem__)
        elif name not in values:
            raise DataError(
                f"a rate depends on the {INPUTS.get(name, 'density of a species')}, which is not given",
                hint="pass it, or take the reaction out",
            )
    return evaluate(parse_arithmetic(text), values.__getitem__)


def _unknown_name(name: str, known: set[str]) -> DataError:
    """Return the error for a name that is neither variable, shortcut nor part of the physical state."""
    near = nearest(name, known)
    meant = f"did you mean {' or '.join(repr(word) for word in near)}? " if near else ""
    return DataError(
        f"unknown name {name!r} in a rate",
        hint=f"{meant}define it in the file, as in @var:{name}=1d0, or by key: "
        f"network.variables = {{ {name} = 1.0 }}; chemnet gives Tgas, Av, zeta, radfield",
    )

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
}
"""KROME's temperature shortcuts (Grassi et al. 2014) and the usual names of its user variables."""

# stands for the expression itself among the names of its variables
_WHOLE = ""
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

    def __call__(
        self,
        Tgas: ArrayLike,
        Av: ArrayLike = 0.0,
        zeta: ArrayLike = 1.0,
        radfield: ArrayLike = 1.0,
        density: ArrayLike | None = None,
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
            Density of H nuclei [cm^-3]; needed only where `inputs` has "get_hnuclei".

        Returns
        -------
        ndarray
            Rate coefficient in units of s^-1 and cm^3, in the shape that the arguments broadcast to.

        Raises
        ------
        DataError
            The expression depends on the density and none is given.
        """
        state = {"tgas": Tgas, "state_av": Av, "state_radfield": radfield}
        values = {name: np.asarray(value, dtype=np.float64) for name, value in state.items()}
        values["state_zeta"] = np.asarray(zeta, dtype=np.float64) * COSMIC_RAY_UNIT
        if density is not None:
            values["get_hnuclei"] = np.asarray(density, dtype=np.float64)
        shape = np.broadcast_shapes(*(value.shape for value in values.values()))
        with np.errstate(all="ignore"):
            result = _value(self.text, dict(self.definitions), values)
        return np.broadcast_to(np.asarray(result, dtype=np.float64), shape).copy()


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
    """Return an expression in small letters, without a Fortran comment, its one known call resolved."""
    return _NUCLEI.sub("get_hnuclei", text.split("!")[0].strip().lower())


def _names_below(text: str, known: Mapping[str, str]) -> list[str]:
    """Return every name that an expression depends on, each behind those that it depends on itself."""
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
    """Yield the names in an expression."""
    return iter(variable_names(parse_arithmetic(_normal(text))))


def _names_of(name: str, known: Mapping[str, str]) -> Iterator[str]:
    """Yield the names in the definition of a variable or shortcut; none for a part of the physical state."""
    if name in known or name in SHORTCUTS:
        return _names_in(known.get(name, SHORTCUTS.get(name, "")))
    if name not in INPUTS:
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
                f"a rate depends on the {INPUTS[name]}, which is not given",
                hint="pass it, or take the reaction out",
            )
    return evaluate(parse_arithmetic(text), values.__getitem__)


def _unknown_name(name: str, known: set[str]) -> DataError:
    """Return the error for a name that is neither variable, shortcut nor part of the physical state."""
    near = nearest(name, known)
    meant = f"did you mean {' or '.join(repr(word) for word in near)}? " if near else ""
    return DataError(
        f"unknown name {name!r} in a rate",
        hint=f"{meant}define it in the file, as in @var:{name}=1d0; chemnet gives Tgas, Av, zeta, radfield",
    )

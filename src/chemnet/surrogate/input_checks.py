"""What a surrogate accepts: shapes, finite numbers, positive time steps; and what leaves the trained ranges.

Every check raises `DataError` for the first fault and names it by cell, step and column.

Shapes: B cells, T steps, S species, P physical parameters, L latents, E elements.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.network.initial_abundances import ELECTRON, balancing_electrons
from chemnet.chemistry.network.stoichiometry import charges
from chemnet.data.description import DataDescription
from chemnet.errors import DataError, suggest
from chemnet.progress import get_logger
from chemnet.surrogate.trust.trained_ranges import Domain

Array = NDArray[np.float64]
_log = get_logger(__name__)

# H nuclei per H nucleus are 1; beyond this the columns cannot be what they are said to be
_HYDROGEN_RANGE = (0.8, 1.2)


def as_array(values: Any) -> Array:
    """Return numbers, a NumPy array or a torch tensor of any device as float64."""
    try:
        if hasattr(values, "detach"):
            tensor = values.detach().cpu()
            # NumPy has no bfloat16
            values = (tensor.double() if tensor.is_floating_point() else tensor).numpy()
        found = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _no_numbers(values, str(error)) from error
    # a column of a table may hold its numbers as objects
    real = found.dtype.kind in "biuf" or (
        found.dtype.kind == "O" and all(isinstance(value, Real) for value in found.flat)
    )
    if not real:
        raise _no_numbers(values, f"it holds {found.dtype.name} values")
    return found.astype(np.float64)


def _no_numbers(values: Any, why: str) -> DataError:
    return DataError(
        f"{type(values).__name__} is no array of numbers: {why}",
        hint="give a NumPy array, a torch tensor or nested lists of equal length that hold real numbers only",
    )


def is_named(values: Any) -> bool:
    """Return whether columns come by their names, as a mapping or a table."""
    return isinstance(values, Mapping) or hasattr(values, "columns")


def is_one_cell(physical: Any) -> bool:
    """Return whether parameters are those of one cell, `(T, P)`, rather than of many, `(B, T, P)`."""
    if is_named(physical):
        return all(np.ndim(physical[name]) == 1 for name in physical.keys())  # noqa: SIM118  tables have keys, too
    return np.ndim(physical) == 2


def ordered_columns(what: str, values: Any, names: Sequence[str]) -> Any:
    """Return `values` with columns in the order of `names`; a mapping or table is sorted by its names."""
    if not is_named(values):
        return values
    found = list(values.keys())
    wrong = [name for name in names if name not in found] + [name for name in found if name not in names]
    if wrong:
        state = "missing" if wrong[0] in names else "unknown"
        raise DataError(
            f"{what}: the column '{wrong[0]}' is {state} ({len(found)} columns given, {len(names)} needed)",
            hint=suggest(wrong[0], names if state == "unknown" else map(str, found)),
        )
    columns = [as_array(values[name]) for name in names]
    for name, column in zip(names, columns, strict=True):
        if column.shape != columns[0].shape:
            raise DataError(
                f"{what}: the column '{name}' has the shape {column.shape}, "
                f"'{names[0]}' has {columns[0].shape}",
                hint="give every column the same number of cells (and steps)",
            )
    return np.stack(columns, axis=-1)


def complete_abundances(values: Any, species: Sequence[str]) -> Any:
    """Return abundances with those that a mapping leaves out: 0, and electrons that balance the charge."""
    missing = [name for name in species if name not in values] if is_named(values) else []
    if not missing or len(missing) == len(species):
        return values
    given = {name: as_array(values[name]) for name in values.keys()}  # noqa: SIM118
    empty = np.zeros_like(next(iter(given.values())))
    complete = given | dict.fromkeys(missing, empty)
    told = f"{len(missing)} of {len(species)} species are not given and taken as 0"
    if ELECTRON in missing:
        known = [name for name in given if name in species]
        charge = sum((c * given[name] for name, c in zip(known, charges(known), strict=True)), empty)
        complete[ELECTRON] = balancing_electrons(charge)
        told += "; electrons balance the charge"
    _log.info("abundances: %s", told)
    return complete


def check_abundances(values: Any, species: Sequence[str]) -> Array:
    """Return abundances `(B, S)`."""
    array = as_array(ordered_columns("abundances", values, species))
    if array.ndim != 2 or array.shape[1] != len(species):
        raise DataError(
            f"abundances have the shape {array.shape}; needed is (cells, {len(species)})",
            hint="one row per cell, one column per species in the order of surrogate.species",
        )
    _refuse("abundances", array, species, ~np.isfinite(array) | (array < 0.0), "finite and not negative")
    return array


def check_physical(values: Any, names: Sequence[str]) -> Array:
    """Return physical parameters `(B, T, P)`; those of one cell may be `(T, P)`."""
    array = as_array(ordered_columns("physical", values, names))
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[2] != len(names) or not array.shape[1]:
        raise DataError(
            f"physical has the shape {array.shape}; needed is (cells, steps, {len(names)})",
            hint=f"columns are {', '.join(names)}, in this order",
        )
    # the networks see their logarithms
    _refuse("physical", array, names, ~np.isfinite(array) | (array <= 0.0), "finite and positive")
    return array


def check_latents(values: Any, latent_dim: int) -> Array:
    """Return latents `(B, L)`."""
    array = as_array(values)
    if array.ndim != 2 or array.shape[1] != latent_dim:
        raise DataError(
            f"latents have the shape {array.shape}; needed is (cells, {latent_dim})",
            hint="one row per cell, as surrogate.encode returns them",
        )
    names = [f"latent {number}" for number in range(latent_dim)]
    _refuse("latents", array, names, ~np.isfinite(array), "finite")
    return array


def check_time_steps(values: Any, shape: tuple[int, int], usual: float) -> Array:
    """Return time steps `(B, T - 1)` [yr]; None stands for the usual one, `(T - 1,)` for all cells alike."""
    if values is None:
        if not usual:
            raise DataError(
                "dt is needed: this surrogate does not know its usual time step",
                hint="give dt (cells, steps - 1) in years",
            )
        return np.full(shape, usual)
    array = as_array(values)
    if array.shape not in ((), shape[1:], shape):
        raise DataError(
            f"dt has the shape {array.shape}; needed is {shape}, or {shape[1:]} for all cells alike",
            hint="one time step [yr] per cell and interval: dt[:, i] leads from row i to row i + 1",
        )
    array = np.broadcast_to(array, shape)
    bad = ~(np.isfinite(array) & (array > 0.0))
    if bad.any():
        cell, step = np.argwhere(bad)[0]
        raise DataError(
            f"dt, cell {cell}, step {step}: {array[cell, step]} yr", hint="time steps are finite and positive"
        )
    return array


def check_totals(values: Any, own: Array, elements: Sequence[str]) -> Array:
    """Return wanted element totals `(B, E)`; a mapping leaves the others at those that cells have, `own`."""
    if is_named(values):
        for name in values.keys():  # noqa: SIM118  tables have keys, too
            if name not in elements:
                raise DataError(f"totals: no element is called {name!r}", hint=suggest(str(name), elements))
        given = {name: as_array(values[name]) for name in values.keys()}  # noqa: SIM118
        columns = [given.get(name, own[:, number]) for number, name in enumerate(elements)]
        shapes_fit = all(column.shape in ((), (len(own),)) for column in columns)
        array = np.stack([np.broadcast_to(c, len(own)) for c in columns], -1) if shapes_fit else np.zeros(0)
    else:
        array = as_array(values)
    if array.shape not in (own.shape, own.shape[1:]):
        raise DataError(
            f"totals have the shape {np.shape(values)}; needed is {own.shape}, or {own.shape[1:]} for all",
            hint=f"atoms per H nucleus of {', '.join(elements)}, in this order, or a mapping from elements",
        )
    array = np.broadcast_to(array, own.shape).copy()
    _refuse("totals", array, elements, ~np.isfinite(array) | (array < 0.0), "finite and not negative")
    check_hydrogen(array, elements, "totals")
    return array


def check_rows(rows: Any, n_rows: int) -> NDArray[np.int64]:
    """Return the ascending indices of the rows that are wanted; None stands for all."""
    try:
        chosen = np.arange(n_rows)[slice(None) if rows is None else rows]
    except (IndexError, TypeError, ValueError) as error:
        raise DataError(f"rows = {rows!r}: {error}", hint=f"there are rows 0 .. {n_rows - 1}") from error
    chosen = np.atleast_1d(chosen)
    if not len(chosen) or (np.diff(chosen) <= 0).any():
        raise DataError(
            f"rows = {rows!r} are no ascending rows", hint="such as [-1], [0, 10, 20] or slice(0, None, 10)"
        )
    return chosen


def check_same_cells(**counts: int) -> None:
    """Raise unless all inputs have the same number of cells."""
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise DataError(f"inputs have different numbers of cells: {found}", hint="row b is cell b in each")


def check_hydrogen(totals: Array, elements: Sequence[str], what: str = "abundances") -> None:
    """Raise for a cell whose element totals `(B, E)` do not hold about one H nucleus per H nucleus."""
    if "H" not in elements:
        return
    hydrogen = totals[:, list(elements).index("H")]
    bad = (hydrogen < _HYDROGEN_RANGE[0]) | (hydrogen > _HYDROGEN_RANGE[1])
    if bad.any():
        cell = int(bad.argmax())
        raise DataError(
            f"{what}, cell {cell}: they hold {hydrogen[cell]:.3g} H nuclei per H nucleus instead of 1",
            hint=f"give {what} relative to H nuclei (n_H + 2 n_H2 + ...), columns in the order of "
            f"surrogate.{'species' if what == 'abundances' else 'elements'}",
        )


class InputChecker:
    """Checks what comes from outside, and logs what leaves the trained ranges: each kind once as a warning.

    All methods raise `DataError` for input that cannot be used, as the functions above do.

    Parameters
    ----------
    data
        Names the columns.
    domain
        The trained ranges.
    """

    def __init__(self, data: DataDescription, domain: Domain) -> None:
        self.data, self.domain = data, domain
        self._logged: set[str] = set()

    def histories(self, physical: Any, dt: Any, **others: Array) -> tuple[Array, Array]:
        """Return parameters `(B, T, P)` and time steps `(B, T - 1)` for as many cells as `others` have."""
        forcing, steps = self._checked_forcing(physical, dt)
        check_same_cells(physical=len(forcing), **{name: len(cells) for name, cells in others.items()})
        self._log_outside(forcing, steps)
        return forcing, steps

    def from_abundances(self, physical: Any, abundances: Any, dt: Any) -> tuple[Array, Array, Array]:
        """Return abundances `(B, S)`, parameters `(B, T, P)` and time steps `(B, T - 1)`."""
        forcing, steps = self._checked_forcing(physical, dt)
        start = self._start(abundances)
        check_same_cells(physical=len(forcing), abundances=len(start))
        self._log_outside(forcing, steps, self._totals(start))
        return start, forcing, steps

    def of_one_step(self, physical: Any, dt: Any) -> tuple[Array, Array | None]:
        """Return parameters `(B, P)` and time steps `(B,)` of one step as histories of two rows."""
        rows = as_array(ordered_columns("physical", physical, self.data.physical_names))
        if rows.ndim != 2:
            raise DataError(
                f"physical has the shape {rows.shape}; one step needs (cells, {self.data.n_physical})",
                hint="emulate takes whole histories (cells, steps, parameters)",
            )
        lengths = None if dt is None else as_array(dt)
        lengths = lengths[:, None] if lengths is not None and lengths.ndim == 1 else lengths
        return np.repeat(rows[:, None], 2, axis=1), lengths

    def inside(self, start: Array, forcing: Array, steps: Array) -> NDArray[np.bool_]:
        """Return whether each step `(B, T - 1)` of checked input is inside what was trained."""
        inside = np.all(self.domain.physical_inside(forcing[:, :-1]), axis=-1) & self.domain.dt_inside(steps)
        return np.asarray(inside & self._composition_inside(start))

    def rows_inside(self, physical: Any, abundances: Any, dt: Any) -> NDArray[np.bool_]:
        """Return whether each row `(B, T)` is inside; abundances and time steps count where given."""
        forcing, steps = self._checked_forcing(physical, self.domain.dt_usual or 1.0 if dt is None else dt)
        inside = np.asarray(self.domain.physical_inside(forcing).all(axis=-1))
        if dt is not None:
            inside[:, :-1] &= self.domain.dt_inside(steps)
        if abundances is not None:
            inside &= self._composition_inside(self._start(abundances))
        return inside

    def _checked_forcing(self, physical: Any, dt: Any) -> tuple[Array, Array]:
        forcing = check_physical(physical, self.data.physical_names)
        shape = (forcing.shape[0], forcing.shape[1] - 1)
        return forcing, check_time_steps(dt, shape, self.domain.dt_usual)

    def _start(self, abundances: Any) -> Array:
        complete = complete_abundances(abundances, self.data.species)
        start = as_array(ordered_columns("abundances", complete, self.data.species))
        start = check_abundances(np.atleast_2d(start), self.data.species)
        check_hydrogen(self._totals(start), self.data.elements)
        return start

    def _log_outside(self, forcing: Array, steps: Array, totals: Array | None = None) -> None:
        """Log what is outside of parameters, time steps and element totals `(B, E)`."""
        forcing = forcing[:, :-1]  # the last row drives no step
        domain, outside = self.domain, ~self.domain.physical_inside(forcing)
        bounds = zip(self.data.physical_names, domain.physical_min, domain.physical_max, strict=True)
        for column, (name, low, high) in enumerate(bounds):
            self._note(f"{name} outside {low:g} .. {high:g}", forcing[..., column], outside[..., column])
        self._note(f"dt outside {domain.dt_min:g} .. {domain.dt_max:g} yr", steps, ~domain.dt_inside(steps))
        if totals is not None:
            wrong = ~domain.totals_inside(totals)
            for column, name in enumerate(self.data.elements):
                self._note(f"another total of {name} than trained on", totals[:, column], wrong[:, column])

    def _note(self, what: str, values: Array, wrong: NDArray[np.bool_]) -> None:
        if not wrong.any():
            return
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        where = ", ".join(f"{axis} {index}" for axis, index in zip(("cell", "step"), place, strict=False))
        level = logging.DEBUG if what in self._logged else logging.WARNING
        self._logged.add(what)
        count, share = int(wrong.sum()), 100.0 * wrong.mean()
        _log.log(level, "%s: %d values (%.1f %%), first %s: %.4g", what, count, share, where, values[place])

    def _composition_inside(self, start: Array) -> NDArray[np.bool_]:
        """Return whether the element totals of each cell are those of training, `(B, 1)`."""
        return np.asarray(self.domain.totals_inside(self._totals(start)).all(axis=-1, keepdims=True))

    def _totals(self, abundances: Array) -> Array:
        """Return element totals per H nucleus `(B, E)`."""
        return abundances @ self.data.stoichiometry


def _refuse(what: str, array: Array, names: Sequence[str], bad: NDArray[np.bool_], allowed: str) -> None:
    """Raise for the first bad value, naming its cell, step and column."""
    if not bad.any():
        return
    place = tuple(int(index) for index in np.argwhere(bad)[0])
    step = f", step {place[1]}" if len(place) == 3 else ""
    raise DataError(
        f"{what}, cell {place[0]}{step}, {names[place[-1]]}: {array[place]}", hint=f"values are {allowed}"
    )

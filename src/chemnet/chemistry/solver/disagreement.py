"""How far a network's rates are from those that a set of tracers was made with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chemnet.chemistry.solver.implicit_step import ImplicitStep
from chemnet.chemistry.solver.step_conditions import StepConditions
from chemnet.errors import DataError

_LEAST = 1e-20  # what tables end at
_SMALL = 0.1  # a smaller error is no sign of other rates [dex]


@dataclass(frozen=True)
class RateDisagreement:
    """How far implicit steps from the rows of a set are from the rows that follow.

    Parameters
    ----------
    species_names
        In the order of `by_species`.
    by_species, moved_by_species
        Median size of the difference of log10 abundance [dex], and that of the row before, shape
        (n_species,).
    total
        Median over all species and rows [dex].
    mean, moved
        Mean over all species and rows [dex], and that of the row before; with the right rates, too, the mean
        is a few hundredths, because one step per row is inexact where gas is heated suddenly.
    compared
        Share of the rows whose step has converged; only they are compared.
    """

    species_names: tuple[str, ...]
    by_species: NDArray[np.float64]
    moved_by_species: NDArray[np.float64]
    total: float
    mean: float
    moved: float
    compared: float

    @classmethod
    def of_steps(
        cls,
        species_names: tuple[str, ...],
        error: NDArray[np.floating],
        moved: NDArray[np.floating],
        converged: NDArray[np.bool_],
    ) -> Self:
        """Return what some steps are off by.

        Parameters
        ----------
        species_names
            S of them.
        error, moved
            What steps, and the rows before them, miss log10 abundances by [dex], shape (steps, S).
        converged
            Which steps count, shape (steps,).

        Raises
        ------
        DataError
            If none has converged.
        """
        if not converged.any():
            raise DataError(
                "no implicit step along these tracers converges",
                hint="check the units: abundances per H nucleus, time in years, positive values",
            )
        good, before = (np.asarray(one, np.float64)[converged] for one in (error, moved))
        medians = (np.median(good, axis=0), np.median(before, axis=0), float(np.median(good)))
        return cls(species_names, *medians, float(good.mean()), float(before.mean()), float(converged.mean()))

    @property
    def disagrees(self) -> bool:
        """Whether other rates made the set: a step with its own rates beats the row before in every species.

        Differences below 0.1 dex do not count; with the right rates no species had a median above 0.03.
        """
        wrong = self.by_species > np.maximum(_SMALL, self.moved_by_species)
        return bool(wrong.any()) or self.mean > max(_SMALL, self.moved)

    def worst(self, count: int = 5) -> tuple[str, ...]:
        """Return the names of the species with the largest deviations."""
        return tuple(self.species_names[i] for i in np.argsort(-self.by_species)[:count])

    def __str__(self) -> str:
        off = dict(zip(self.species_names, self.by_species.tolist(), strict=True))
        worst = ", ".join(f"{name} {off[name]:.2g}" for name in self.worst(3))
        return f"mean {self.mean:.2g} dex, median {self.total:.2g}; medians of the worst: {worst}"


def rate_disagreement(
    step: ImplicitStep,
    abundances: ArrayLike,
    physical: ArrayLike,
    dt: ArrayLike,
    *,
    threads: int | None = None,
    **conditions: Any,
) -> RateDisagreement:
    """Compare a network with whole histories that are said to be made with it.

    Parameters
    ----------
    step
        The network's implicit step, with or without UCLCHEM's quirks.
    abundances
        Shape (tracers, rows, n_species), in the order of the step's species, positive.
    physical
        Shape (tracers, rows, 4): Density [cm^-3], Radfield [Habing], Av [mag], gasTemp [K]; row i drives row
        i to i + 1.
    dt
        Time between rows [yr], shape (tracers, rows - 1) or one for all.
    threads
        As for `ImplicitStep.iterate`.
    **conditions
        `zeta` and `dust_temperature` of `StepConditions`, shape (tracers, rows).

    Raises
    ------
    DataError
        If there are fewer than two rows or no step converges.
    """
    states, parameters = np.asarray(abundances, np.float64), np.asarray(physical, np.float64)
    if states.ndim != 3 or states.shape[1] < 2 or parameters.shape != (*states.shape[:2], 4):
        raise DataError(
            f"abundances {states.shape} and physical parameters {parameters.shape} are no histories",
            hint="give (tracers, rows, n_species) and (tracers, rows, 4), at least two rows each",
        )
    steps = (len(states), states.shape[1] - 1)
    earlier = np.concatenate([np.full_like(parameters[:, :1], np.nan), parameters[:, :-1]], axis=1)
    cells = StepConditions(
        _flat(parameters[:, :-1]),
        np.broadcast_to(np.asarray(dt, np.float64), steps).ravel(),
        physical_before=_flat(earlier[:, :-1]),
        physical_next=_flat(parameters[:, 1:]),
        **{name: values[:, :-1].ravel() for name, values in conditions.items()},
    )
    iterated = step.iterate(
        _flat(states[:, :-1]), cells, update_tolerance=0.01, most_iterations=12, threads=threads
    )
    logs = [np.log10(np.maximum(one, _LEAST)) for one in (iterated.abundances, _flat(states[:, 1:]))]
    before = np.log10(np.maximum(_flat(states[:, :-1]), _LEAST))
    error, moved = np.abs(logs[0] - logs[1]), np.abs(before - logs[1])
    return RateDisagreement.of_steps(step.species_names, error, moved, iterated.converged)


def _flat(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows.reshape(-1, rows.shape[-1])

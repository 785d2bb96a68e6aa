"""How far a network's rates are from those that a set of tracers was made with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chemnet.chemistry.solver.implicit_step import ImplicitStep
from chemnet.errors import DataError

_LEAST = 1e-20  # what tables end at


@dataclass(frozen=True)
class RateDisagreement:
    """How far implicit steps from the rows of a set are from the rows that follow.

    Parameters
    ----------
    species_names
        In the order of `by_species`.
    by_species
        Median size of the difference of log10 abundance [dex], shape (n_species,).
    total
        Median over all species and rows [dex].
    mean
        Mean over all species and rows [dex]; with the right rates, too, it is a few hundredths, because one
        step per row is inexact where gas is heated suddenly.
    compared
        Share of the rows whose step has converged; only they are compared.
    """

    species_names: tuple[str, ...]
    by_species: NDArray[np.float64]
    total: float
    mean: float
    compared: float

    def worst(self, count: int = 5) -> tuple[str, ...]:
        """Return the names of the species with the largest deviations."""
        return tuple(self.species_names[i] for i in np.argsort(-self.by_species)[:count])


def rate_disagreement(
    step: ImplicitStep, abundances: ArrayLike, physical: ArrayLike, dt: float, *, threads: int | None = None
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
        Time between rows [yr].
    threads
        As for `ImplicitStep.iterate`.

    Raises
    ------
    DataError
        If there are fewer than two rows or no step converges.
    """
    states, conditions = np.asarray(abundances, np.float64), np.asarray(physical, np.float64)
    if states.ndim != 3 or states.shape[1] < 2 or conditions.shape != (*states.shape[:2], 4):
        raise DataError(
            f"abundances {states.shape} and physical parameters {conditions.shape} are no histories",
            hint="give (tracers, rows, n_species) and (tracers, rows, 4), at least two rows each",
        )
    before = np.concatenate([np.full_like(conditions[:, :1], np.nan), conditions[:, :-1]], axis=1)
    iterated = step.iterate(
        _flat(states[:, :-1]),
        _flat(conditions[:, :-1]),
        dt,
        physical_before=_flat(before[:, :-1]),
        physical_next=_flat(conditions[:, 1:]),
        update_tolerance=0.01,
        most_iterations=12,
        threads=threads,
    )
    good = iterated.converged
    if not good.any():
        raise DataError(
            "no implicit step along these tracers converges",
            hint="check the units: abundances per H nucleus, time in years, positive values",
        )
    truth = np.log10(np.maximum(_flat(states[:, 1:])[good], _LEAST))
    error = np.abs(np.log10(np.maximum(iterated.abundances[good], _LEAST)) - truth)
    return RateDisagreement(
        step.species_names,
        np.median(error, axis=0),
        float(np.median(error)),
        float(error.mean()),
        float(good.mean()),
    )


def _flat(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows.reshape(-1, rows.shape[-1])

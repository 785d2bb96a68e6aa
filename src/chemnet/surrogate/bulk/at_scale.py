"""The part of a surrogate's face for the inner loop of a code: many cells on disk, or a few in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from chemnet.surrogate.bulk.rollout_file import RolloutFile
from chemnet.surrogate.bulk.stepper import Stepper
from chemnet.surrogate.bulk.stream import Request, stream

if TYPE_CHECKING:
    from chemnet.surrogate.surrogate import Surrogate


class AtScale:
    """A surrogate's methods for codes that call it often or with much; `Surrogate` holds what they use."""

    def rollout(
        self,
        physical: Any,
        abundances: Any,
        dt: Any = None,
        *,
        output: str | Path,
        every: int = 1,
        species: Sequence[str] | None = None,
        conserve: bool = True,
    ) -> RolloutFile:
        """Predict any number of cells, and write their abundances to a file while predicting.

        Memory stays flat: cells are read, predicted and written in batches. The same call goes on where one
        was interrupted, and returns at once when the file is whole.

        Parameters
        ----------
        physical
            `(B, T, P)` as for `emulate`. An array, or what reads rows when it is sliced, such as a dataset of
            HDF5 or ``numpy.load(file, mmap_mode="r")``.
        abundances
            `(B, S)` at step 0, or `(S,)` for all cells alike; sliced like `physical`.
        dt
            Time steps [yr], `(B, T - 1)` or one number; None for the usual one of the training data.
        output
            The HDF5 file; see `chemnet.surrogate.bulk.rollout_file`.
        every
            Keep every so manieth row, from row 0 on, which is the input.
        species
            Names of the species to keep; None for all.
        conserve
            Keep each element's total, as `emulate` does. Otherwise the chosen species alone are decoded,
            which is many times as fast.

        Raises
        ------
        DataError
            For input that cannot be used, naming cell and step, or an output of another request.
        """
        request = Request(every, species, conserve)
        return stream(cast("Surrogate", self), physical, abundances, dt, Path(output), request)

    def stepper(self, latents: Any) -> Stepper:
        """Return what advances cells from latents `(B, L)`, step by step, as fast as it can be called.

        It is for the inner loop of a solver: it carries on in place, and its checks can be switched off.

        Parameters
        ----------
        latents
            Of the cells at the start, as `encode` returns them.

        Raises
        ------
        DataError
            For latents of a wrong shape, or that are not finite.

        Examples
        --------
        >>> stepper = surrogate.stepper(surrogate.encode(abundances))  # doctest: +SKIP
        >>> for density, field, av, temperature in history:  # doctest: +SKIP
        ...     latents = stepper([[density, field, av, temperature]], 3000.0)
        >>> abundances = surrogate.decode(latents)  # doctest: +SKIP
        """
        return Stepper.of(cast("Surrogate", self), latents)

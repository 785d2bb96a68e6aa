"""A chemistry surrogate: encoder, emulator and decoder behind one face, in physical units.

Shapes: B cells, T steps, S species, P physical parameters, L latents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chemnet.chemistry.network.stoichiometry import charges
from chemnet.config import ConfigDict
from chemnet.errors import ConfigError, ModelError
from chemnet.surrogate import input_checks
from chemnet.surrogate.along_histories import (
    Histories,
    abundances_along,
    latents_along,
    monitored_predictor,
    spread_along,
    trust_along,
)
from chemnet.surrogate.bulk.cell_batches import as_given, run
from chemnet.surrogate.bulk.rollout_file import RolloutFile
from chemnet.surrogate.bulk.stepper import Stepper
from chemnet.surrogate.bulk.stream import kept_of, stream, weights_digest
from chemnet.surrogate.gradients import asks_for_gradients, histories_of_step, tensors_of
from chemnet.surrogate.input_checks import InputChecker
from chemnet.surrogate.predictor import Parts
from chemnet.surrogate.rollout import Rollout
from chemnet.surrogate.saved import write_surrogate
from chemnet.surrogate.trust.calibration import Judgement
from chemnet.surrogate.trust.error_indicators import MonitoredPredictor
from chemnet.surrogate.trust.expected_error import Trust
from chemnet.surrogate.trust.trained_ranges import Domain
from chemnet.surrogate.wrappers.conservation import ConservingPredictor, conserve_elements
from chemnet.surrogate.wrappers.surrogate_ensemble import Components, Ensemble, components_of
from chemnet.training.parallel.devices import choose_device

Judge = Callable[[ConservingPredictor[Components]], Judgement | None]
_DEVICES = "'cpu', 'cuda', 'cuda:<index>' or 'auto', as far as this machine has them"


class Surrogate:
    """Predicts abundances along the history of cells, with every element conserved.

    Arrays and tensors are accepted alike; what comes back is float32, an array for arrays and a tensor on
    the same device for tensors. Abundances are relative to H nuclei, physical parameters in their own units.

    Parameters
    ----------
    parts
        The trained networks.
    domain
        The ranges that they were trained in.
    name
        What it is called.
    provenance
        Where it comes from: plain values.
    judge
        Returns how its predictor judges itself, or None; called when that is first asked for.

    Examples
    --------
    Dense, dark gas at 15 K that starts from atoms and H2, over ten steps:

    >>> import numpy as np
    >>> surrogate = Surrogate.load("collapse")
    >>> surrogate.physical_names
    ('Density', 'Radfield', 'Av', 'gasTemp')
    >>> physical = np.tile([1e5, 1.0, 10.0, 15.0], (1, 11, 1))  # (cells, steps, parameters)
    >>> initial = {"H": 0.5, "H2": 0.25, "HE": 0.1, "C+": 1.77e-4, "N": 6.18e-5, "O": 3.34e-4,
    ...            "S+": 3.51e-6, "MG": 2.256e-6}
    >>> abundances = surrogate.emulate(physical, initial)
    >>> abundances.shape  # (cells, steps, species)
    (1, 11, 89)
    >>> bool(abundances[0, -1, surrogate.species.index("CO")] > 1e-5)
    True
    >>> trust = surrogate.trust(physical, initial)
    >>> abundances[~trust.within(0.3)] = np.nan  # drop what is expected to be off by more than 0.3 dex
    """

    def __init__(
        self,
        parts: Parts,
        domain: Domain,
        name: str,
        provenance: dict[str, Any],
        judge: Judge = lambda predictor: None,
    ) -> None:
        self.parts, self.domain, self.name, self.provenance = parts, domain, name, provenance
        self.data = parts.data
        self.components = components_of(parts)
        self.predictor = ConservingPredictor(self.components, torch.from_numpy(self.data.stoichiometry))
        if getattr(self.components, "conserves_state", False) and domain.is_neutral:
            self.neutral()  # rate equations would keep a net charge for ever, as they keep a wrong total
        self._inputs = InputChecker(self.data, domain)
        self._judge = judge
        self.latent_dim = self.components.latent_dim

    @classmethod
    def load(
        cls,
        source: str | Path | Sequence[str | Path],
        config: ConfigDict | None = None,
        accuracy: str | None = None,
    ) -> Surrogate:
        """Return a surrogate.

        Parameters
        ----------
        source
            The folder that `save` wrote, a training result of an emulator, the name of a shipped one, or
            the name of a component or training result in `general.results_dir`; tried in this order.
            Several training results of emulators of one kind predict together, as a deep ensemble.
        config
            Says where results are; the packaged defaults when None.
        accuracy
            What is spent on a step, of a surrogate that has a dial: ``"fast"`` (a network alone),
            ``"balanced"`` (a few iterations of the rate equations first; the default) or ``"exact"`` (the
            solver wherever an error is expected). None: ``surrogate.accuracy`` of the configuration.

        Raises
        ------
        ModelError
            When nothing has this name, it is not an emulator, it has no such accuracy, its files are damaged,
            or several do not fit together.
        """
        # a circle between files, for loading makes a Surrogate
        from chemnet.surrogate.loading import load_surrogate

        return load_surrogate(source, config, accuracy)

    def save(self, path: str | Path, precision: str = "float32") -> Path:
        """Write a self-contained folder (`surrogate.toml` and safetensors) that `load` reads, and return it.

        Parameters
        ----------
        path
            The folder.
        precision
            Of the matrices of weights in the file: ``"float32"``, ``"float16"`` (half the size; rounds by
            0.05 %) or ``"bfloat16"``. `chemnet benchmark` says what the rounding costs, if anything.

        Raises
        ------
        ModelError
            When the folder holds something else already, or there is no such precision.
        """
        content = (self.parts, self.domain, self.name, self.provenance, self._own_judgement)
        return write_surrogate(Path(path), precision, *content)

    def to(self, device: str | torch.device) -> Surrogate:
        """Move the networks to a device and return this surrogate.

        Raises
        ------
        ModelError
            When this machine has no such device.
        """
        try:
            self.components.to(choose_device(str(device)))
        except ConfigError as error:
            raise ModelError(f"the surrogate cannot move to {str(device)!r}", hint=_DEVICES) from error
        return self

    def neutral(self) -> Surrogate:
        """Balance charges too from now on, by one more multiplier, and return this surrogate.

        It is asked for because the truth need not be neutral: UCLCHEM's tables are not.

        Raises
        ------
        ModelError
            When no species has a positive, or none a negative charge.
        """
        charge = charges(self.species)
        if not (charge > 0).any() or not (charge < 0).any():
            raise ModelError(
                f"the surrogate {self.name!r} has no species of both charges, which could balance",
                hint="leave surrogate.neutral at false",
            )
        self.predictor.charges = torch.from_numpy(charge)
        return self

    @property
    def is_neutral(self) -> bool:
        """Whether charges are balanced."""
        return self.predictor.charges is not None

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.components.device

    @property
    def species(self) -> tuple[str, ...]:
        """Names of the species: the order of the columns of all abundances."""
        return self.data.species

    @property
    def elements(self) -> tuple[str, ...]:
        """Names of the conserved elements."""
        return self.data.elements

    @property
    def physical_names(self) -> tuple[str, ...]:
        """Names of the physical parameters: the order of their columns."""
        return self.data.physical_names

    @property
    def is_direct(self) -> bool:
        """Whether the emulator works on abundances themselves, without an autoencoder."""
        return self.parts.encoder is None

    def encode(self, abundances: Any) -> Any:
        """Return latents `(B, L)` of abundances `(B, S)`.

        Raises
        ------
        DataError
            For a wrong shape, or a value that is negative or not finite.
        """
        checked = input_checks.check_abundances(abundances, self.species)
        return run(self.components.encode, self.device, abundances, checked)

    def decode(self, latents: Any) -> Any:
        """Return abundances `(B, S)` of latents `(B, L)`, as the decoder gives them, with no totals kept.

        Raises
        ------
        DataError
            For a wrong shape, or a value that is not finite.
        """
        checked = input_checks.check_latents(latents, self.latent_dim)
        return run(lambda latent: self.components.decode(latent.float()), self.device, latents, checked)

    def conserve(self, abundances: Any, totals: Any) -> Any:
        """Return abundances `(B, S)` brought to element totals, in float64.

        A grid needs it whose advection mixed cells and so broke their totals: what follows, `step` or
        `emulate`, keeps the totals of what it is given. Where `neutral` was asked for, charges balance, too.

        Parameters
        ----------
        abundances
            `(B, S)`, as for `emulate`.
        totals
            Atoms per H nucleus in the order of `elements`: `(B, E)`, or `(E,)` for all cells alike; or a
            mapping from an element to numbers `(B,)` or one. What it leaves out keeps its total.

        Raises
        ------
        DataError
            For input that cannot be used, naming cell and column.
        ModelError
            When no positive abundances near the given ones have these totals.
        """
        start = input_checks.check_abundances(abundances, self.species)
        wanted = input_checks.check_totals(totals, start @ self.data.stoichiometry, self.elements)
        atoms, charge = torch.from_numpy(self.data.stoichiometry), self.predictor.charges
        corrected = conserve_elements(
            torch.from_numpy(start), torch.from_numpy(wanted), atoms, charges_S=charge
        )
        return as_given(corrected, abundances)

    def latent_emulate(self, physical: Any, latents: Any, dt: Any = None) -> Any:
        """Return latents `(B, T, L)` along histories; row 0 is the input.

        Parameters
        ----------
        physical, dt
            As for `emulate`.
        latents
            At step 0, `(B, L)`, or `(L,)` of one cell.

        Raises
        ------
        DataError
            For input that cannot be used, naming cell and step.
        """
        given = np.atleast_2d(input_checks.as_array(latents))
        start = input_checks.check_latents(given, self.latent_dim)
        forcing, steps = self._inputs.histories(physical, dt, latents=start)
        found = latents_along(self.components, (start, forcing, steps), like=latents)
        return _as_asked(found, physical)

    def emulate(self, physical: Any, abundances: Any, dt: Any = None, rows: Any = None) -> Any:
        """Return abundances `(B, T, S)` along histories; row 0 is the input.

        Each element keeps the total of the input in every cell and step. What is outside the trained ranges
        is logged when it first happens; `in_domain` says where, and `trust` what is to be expected there.
        Where a tensor among `physical`, `abundances` and `dt` requires gradients, the result passes them on
        (of first order), and is computed by PyTorch alone.

        Parameters
        ----------
        physical
            `(B, T, P)`; row i drives the step from i to i + 1. Of one cell `(T, P)`, and then no array that
            is returned has a first axis.
        abundances
            At step 0, `(B, S)`, or `(S,)` of one cell; or a mapping from species to `(B,)` or a number. What
            a mapping leaves out is 0, and electrons balance the charge unless they are given.
        dt
            Time steps [yr], `(B, T - 1)`, `(T - 1,)` for all cells alike, or one number; None for the usual
            one of the training data.
        rows
            The rows that are wanted, such as ``[-1]`` or ``slice(None, None, 10)``; None for all. Only these
            are decoded, and `(B, len(rows), S)` is returned.

        Raises
        ------
        DataError
            For input that cannot be used, naming cell and step.
        ModelError
            When gradients are asked of a surrogate around an implicit step.
        """
        inputs, wanted = self._asked(physical, abundances, dt, rows)
        if asks_for_gradients(physical, abundances, dt):
            start, forcing, steps = tensors_of(self.predictor, inputs, (abundances, physical, dt))
            return _as_asked(Rollout(self.predictor)(start, forcing, steps, wanted), physical)
        return _as_asked(abundances_along(self.predictor, inputs, wanted, like=abundances), physical)

    def spread(self, physical: Any, abundances: Any, dt: Any = None, rows: Any = None) -> Any:
        """Return how far the members of an ensemble are apart, `(B, T, S)`; takes what `emulate` takes.

        It is the standard deviation of their log10 abundances [dex] before totals are kept, 0 in row 0.

        Raises
        ------
        DataError
            For input that cannot be used, naming cell and step.
        ModelError
            When this surrogate is not an ensemble.
        """
        if not isinstance(self.components, Ensemble):
            raise ModelError(
                f"the surrogate {self.name!r} is no ensemble: one emulator has no spread",
                hint="train model.name=LatentEnsemble, or load several trainings: Surrogate.load([a, b])",
            )
        inputs, wanted = self._asked(physical, abundances, dt, rows)
        return _as_asked(spread_along(self.components, inputs, wanted, like=abundances), physical)

    def trust(self, physical: Any, abundances: Any, dt: Any = None, rows: Any = None) -> Trust:
        """Return how far each state of `emulate` can be trusted; takes what `emulate` takes.

        Raises
        ------
        DataError
            For input that cannot be used, naming cell and step.
        ModelError
            When this surrogate was never calibrated.
        """
        return self.emulate_with_trust(physical, abundances, dt, rows)[1]

    def emulate_with_trust(
        self, physical: Any, abundances: Any, dt: Any = None, rows: Any = None
    ) -> tuple[Any, Trust]:
        """Return what `emulate` and `trust` return, at the price of one rollout.

        Raises
        ------
        DataError, ModelError
            As `trust`.
        """
        inputs, wanted = self._asked(physical, abundances, dt, rows)
        inside = self._inputs.inside(*inputs)
        emulated, trust = trust_along(self.predictor, self.judgement, inputs, inside, wanted, like=abundances)
        if input_checks.is_one_cell(physical):
            trust = trust.of_cell(0)
        return _as_asked(emulated, physical), trust

    @property
    def is_calibrated(self) -> bool:
        """Whether it can say how far it is to be trusted."""
        return self._own_judgement is not None

    @property
    def judgement(self) -> Judgement:
        """How it judges its own predictions.

        Raises
        ------
        ModelError
            When it was never calibrated.
        """
        if self._own_judgement is None:
            raise ModelError(
                f"the surrogate {self.name!r} was never calibrated: it cannot say how far to trust it",
                hint="train it on data with validation tracers (preprocess.validate_size)",
            )
        return self._own_judgement

    @cached_property
    def _own_judgement(self) -> Judgement | None:
        return self._judge(self.predictor)

    @property
    def monitored(self) -> MonitoredPredictor:
        """Its predictor with the indicators of error that it was calibrated with.

        Raises
        ------
        ModelError
            When it was never calibrated.
        """
        return monitored_predictor(self.predictor, self.judgement)

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

        Memory stays flat: cells are read, predicted and written in batches. The same call continues where it
        was interrupted, and returns at once when the file is complete.

        Parameters
        ----------
        physical
            `(B, T, P)` as for `emulate`. An array, or what reads rows when it is sliced, such as a dataset of
            HDF5 or ``numpy.load(file, mmap_mode="r")``.
        abundances
            `(B, S)` at step 0, or `(S,)` for all cells alike; sliced like `physical`.
        dt
            As for `emulate`.
        output
            The HDF5 file; see `chemnet.surrogate.bulk.rollout_file`.
        every
            Keep every n-th row, counted from row 0, which is the input.
        species
            Names of the species to keep; None for all.
        conserve
            Keep each element's total, as `emulate` does. Otherwise only the chosen species are decoded, which
            is many times as fast.

        Raises
        ------
        DataError
            For input that cannot be used, naming cell and step, or an output of another request.
        """
        kept = kept_of(self.components, physical, every, species, conserve)
        source = {"surrogate": self.name, "weights": weights_digest(self.parts)}
        source |= {"charge": "neutral"} if self.is_neutral else {}
        histories = (physical, abundances, dt)
        return stream(self.predictor, self._inputs, source, histories, Path(output), kept)

    def stepper(self, latents: Any) -> Stepper:
        """Return what advances cells from latents `(B, L)`, step by step, as fast as it can be called.

        It is meant for the inner loop of a solver: it works in place, and its checks can be switched off.

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
        start = input_checks.check_latents(latents, self.latent_dim)
        return Stepper.of(self.components, start, self.domain.dt_usual)

    def step(self, physical: Any, abundances: Any, dt: Any = None) -> Any:
        """Return abundances `(B, S)` after one step of `dt` `(B,)` [yr] under `physical` `(B, P)`.

        It is the first step of `emulate`. Called repeatedly it encodes anew each time: keep latents in a
        `stepper` to avoid the autoencoder's error in every step, and nearly all of its time. Gradients pass
        as they do through `emulate`.

        Raises
        ------
        DataError, ModelError
            As `emulate`.
        """
        histories: tuple[Any, Any] = self._inputs.of_one_step(physical, dt)
        if asks_for_gradients(physical, abundances, dt):
            histories = histories_of_step(histories, physical, dt)
        start = input_checks.ordered_columns("abundances", abundances, self.species)
        return self.emulate(histories[0], start, histories[1])[:, 1]

    def in_domain(self, physical: Any, abundances: Any = None, dt: Any = None) -> NDArray[np.bool_]:
        """Return for each cell and step `(B, T)` whether it is inside what the surrogate was trained on.

        Parameters
        ----------
        physical, abundances, dt
            As for `emulate`; abundances and time steps count where they are given.
        """
        inside: NDArray[np.bool_] = _as_asked(self._inputs.rows_inside(physical, abundances, dt), physical)
        return inside

    def _asked(self, physical: Any, abundances: Any, dt: Any, rows: Any) -> tuple[Histories, Tensor]:
        inputs = self.checked_inputs(physical, abundances, dt)
        return inputs, torch.from_numpy(input_checks.check_rows(rows, inputs[1].shape[1]))

    def checked_inputs(self, physical: Any, abundances: Any, dt: Any = None) -> Histories:
        """Return checked abundances `(B, S)`, parameters `(B, T, P)` and time steps `(B, T - 1)`, float64.

        Raises
        ------
        DataError
            For input that cannot be used, naming cell and step.
        """
        return self._inputs.from_abundances(physical, abundances, dt)

    def __repr__(self) -> str:
        members = self.components.size if isinstance(self.components, Ensemble) else 1
        what = "direct" if self.is_direct else f"{self.latent_dim // members} latents"
        what += f", {members} members" if members > 1 else ""
        return f"Surrogate({self.name!r}, {len(self.species)} species, {what})"


def _as_asked(result: Any, physical: Any) -> Any:
    """Return results of cells `(1, ...)` without their first axis where one cell was asked for."""
    return result[0] if input_checks.is_one_cell(physical) else result

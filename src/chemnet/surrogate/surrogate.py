"""A chemistry surrogate: encoder, emulator and decoder behind one face, in physical units.

Shapes: B cells, T steps, S species, P physical parameters, L latents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError, DataError, ModelError
from chemnet.surrogate import input_checks
from chemnet.surrogate.bulk.at_scale import AtScale
from chemnet.surrogate.bulk.cell_batches import run
from chemnet.surrogate.predictor import Parts
from chemnet.surrogate.questions import Inputs
from chemnet.surrogate.rollout import Rollout, read
from chemnet.surrogate.trust.calibration import Judgement
from chemnet.surrogate.trust.domain import Domain
from chemnet.surrogate.trust.judging import Judging
from chemnet.surrogate.wrappers.conserving import Conserving
from chemnet.surrogate.wrappers.ensemble import Ensemble, components_of
from chemnet.training.parallel.devices import choose_device

_DEVICES = "'cpu', 'cuda', 'cuda:<index>' or 'auto', as far as this machine has them"


class Surrogate(AtScale, Judging):
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
        Returns how it judges its own predictions, or None; called when that is first asked for.

    Examples
    --------
    >>> surrogate = Surrogate.load("collapse")  # doctest: +SKIP
    >>> abundances = surrogate.emulate(physical, initial, dt=3000.0)  # doctest: +SKIP
    >>> trust = surrogate.trust(physical, initial, dt=3000.0)  # doctest: +SKIP
    >>> abundances[~trust.within(0.3)]  # expected to be off by more than 0.3 dex  # doctest: +SKIP
    """

    def __init__(
        self,
        parts: Parts,
        domain: Domain,
        name: str,
        provenance: dict[str, Any],
        judge: Callable[[Surrogate], Judgement | None] = lambda surrogate: None,
    ) -> None:
        self.parts, self.domain, self.name, self.provenance = parts, domain, name, provenance
        self.data = parts.data
        self.components = components_of(parts)
        self.predictor = Conserving(self.components, torch.from_numpy(self.data.stoichiometry))
        self.device = torch.device("cpu")
        self._inputs = Inputs(self.data, domain)
        self._judge = judge
        self.latent_dim = int(self.components.encode(torch.ones(1, self.data.n_species)).shape[-1])

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
            When the surrogate has no such accuracy, nothing has this name, it is no emulator, its files are
            damaged, or several cannot predict together.
        """
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
        from chemnet.surrogate.saved import write_surrogate

        return write_surrogate(self, Path(path), precision)

    def to(self, device: str | torch.device) -> Surrogate:
        """Move the networks to a device and return this surrogate.

        Raises
        ------
        ModelError
            When this machine has no such device.
        """
        try:
            self.device = choose_device(str(device))
        except ConfigError as error:
            raise ModelError(f"the surrogate cannot move to {str(device)!r}", hint=_DEVICES) from error
        self.components.to(self.device)
        return self

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

    def latent_emulate(self, physical: Any, latents: Any, dt: Any = None) -> Any:
        """Return latents `(B, T, L)` along histories from latents `(B, L)`; row 0 is the input.

        Parameters
        ----------
        physical, dt
            As for `emulate`.
        latents
            Of step 0.

        Raises
        ------
        DataError
            For input that cannot be used, naming cell and step.
        """
        start = input_checks.check_latents(latents, self.latent_dim)
        driving, steps = self._inputs.histories(physical, dt, latents=start)

        def roll(latent: Tensor, parameters: Tensor, dt_BN: Tensor) -> Tensor:
            state = self.components.begin(latent.float())
            return Rollout(self.components).states(state, parameters, dt_BN)["latent"]

        return run(roll, self.device, latents, start, driving, steps)

    def emulate(self, physical: Any, abundances: Any, dt: Any = None, rows: Any = None) -> Any:
        """Return abundances `(B, T, S)` along histories; row 0 is the input.

        Each element keeps the total of the input in every cell and step. What is outside the trained ranges
        is logged when it first happens; `in_domain` says where, and `trust` what is to be expected there.

        Parameters
        ----------
        physical
            `(B, T, P)`; row i drives the step from i to i + 1.
        abundances
            `(B, S)` at step 0, or a mapping from species to `(B,)`.
        dt
            Time steps [yr], `(B, T - 1)` or one number; None for the usual one of the training data.
        rows
            Rows that are wanted, such as ``[-1]`` or ``slice(None, None, 10)``; None for all. Only these are
            decoded, and `(B, len(rows), S)` is returned.

        Raises
        ------
        DataError
            For input that cannot be used, naming cell and step.
        """
        inputs = self.checked_inputs(physical, abundances, dt)
        wanted = torch.from_numpy(input_checks.check_rows(rows, inputs[1].shape[1]))
        return run(partial(Rollout(self.predictor), rows=wanted), self.device, abundances, *inputs)

    def spread(self, physical: Any, abundances: Any, dt: Any = None, rows: Any = None) -> Any:
        """Return how far the members of an ensemble are apart, `(B, T, S)`; takes what `emulate` takes.

        It is the standard deviation of their log10 abundances [dex] before totals are kept, 0 in row 0.

        Raises
        ------
        DataError
            For input that cannot be used, naming cell and step.
        ModelError
            When this surrogate is no ensemble.
        """
        components = self.components
        if not isinstance(components, Ensemble):
            raise ModelError(
                f"the surrogate {self.name!r} is no ensemble: one emulator has no spread",
                hint="train model.name=LatentEnsemble, or load several trainings: Surrogate.load([a, b])",
            )
        inputs = self.checked_inputs(physical, abundances, dt)
        wanted = torch.from_numpy(input_checks.check_rows(rows, inputs[1].shape[1]))

        def roll(start: Tensor, driving: Tensor, steps: Tensor) -> Tensor:
            states = Rollout(components).states(components.start(start), driving, steps)
            return read(states, wanted, components.spread)

        return run(roll, self.device, abundances, *inputs)

    def step(self, physical: Any, abundances: Any, dt: Any = None) -> Any:
        """Return abundances `(B, S)` after one step of `dt` `(B,)` [yr] under `physical` `(B, P)`.

        It is the first step of `emulate`. Called repeatedly it encodes anew each time: carry latents with a
        `stepper` to avoid the autoencoder's error in every step, and nearly all of its time.

        Raises
        ------
        DataError
            For input that cannot be used, naming the cell.
        """
        rows = input_checks.as_array(input_checks.ordered_columns("physical", physical, self.physical_names))
        if rows.ndim != 2:
            raise DataError(
                f"physical has the shape {rows.shape}; one step needs (cells, {len(self.physical_names)})",
                hint="emulate takes whole histories (cells, steps, parameters)",
            )
        lengths = None if dt is None else input_checks.as_array(dt)
        lengths = lengths[:, None] if lengths is not None and lengths.ndim == 1 else lengths
        start = input_checks.ordered_columns("abundances", abundances, self.species)
        return self.emulate(np.repeat(rows[:, None], 2, axis=1), start, lengths)[:, 1]

    def in_domain(self, physical: Any, abundances: Any = None, dt: Any = None) -> NDArray[np.bool_]:
        """Return for each cell and step `(B, T)` whether it is inside what the surrogate was trained on.

        Parameters
        ----------
        physical, abundances, dt
            As for `emulate`; abundances and time steps count where they are given.
        """
        return self._inputs.rows_inside(physical, abundances, dt)

    def checked_inputs(
        self, physical: Any, abundances: Any, dt: Any = None
    ) -> tuple[input_checks.Array, input_checks.Array, input_checks.Array]:
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

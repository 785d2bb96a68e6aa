"""Which network at hand made the data: the one that somebody names, that `simulate` used, or that fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from chemnet.chemistry.formats import read_parts
from chemnet.chemistry.formats.row_files import ReadingOptions
from chemnet.chemistry.network.rate_options import RateOptions
from chemnet.chemistry.solver.disagreement import RateDisagreement
from chemnet.config import ConfigDict
from chemnet.config.overrides import join_key
from chemnet.data.preprocessed import PreprocessedData
from chemnet.errors import ChemNetError, DataError
from chemnet.evaluation.network_origin import network_origin
from chemnet.models.contract import Batch
from chemnet.models.emulators.implicit.implicit_emulator import (
    NETWORK_FOLDER,
    consecutive_steps,
    named_network,
)
from chemnet.models.emulators.implicit.network_step import ImplicitChemistry
from chemnet.progress import get_logger
from chemnet.results import ResultDirectory
from chemnet.surrogate.loading import SHIPPED

# chemnet's own networks that may have made tracers of another program
_SHIPPED = ("collapse", "collapse_bulk")
# tracers of the training split that are compared
_TRACERS = 40
_TABLE = ("model", "ImplicitEmulator")
_QUIRKS = ("simulate", "uclchem_compatible")
_log = get_logger(__name__)
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class FoundNetwork:
    """A network that made the data, as keys of ``[model.ImplicitEmulator]``, and how well its step fits."""

    settings: Settings
    disagreement: RateDisagreement

    @property
    def changes(self) -> dict[str, Any]:
        """The settings by dotted key of the configuration."""
        return {join_key((*_TABLE, key)): value for key, value in self.settings.items()}

    def __str__(self) -> str:
        quirks = " with UCLCHEM's quirks" if self.settings["uclchem_compatible"] else ""
        return (
            f"{self.settings['network']}{quirks}: its implicit step is off by {self.disagreement}; "
            f"rows are {self.disagreement.moved:.2g} dex apart"
        )


def find_network(data_result: ResultDirectory, config: ConfigDict) -> FoundNetwork | None:
    """Return the network whose implicit steps come nearest to the data; None where none at hand fits.

    Parameters
    ----------
    data_result
        A result of `preprocess`.
    config
        ``data_set.network`` alone counts where it is set, with and without UCLCHEM's quirks unless
        ``simulate.uclchem_compatible`` is chosen. Else the network of `simulate`, or one that chemnet ships.

    Raises
    ------
    DataError
        When the network that is named has other species or other rates than the data.
    """
    data = PreprocessedData(data_result)
    if config["data_set"]["network"] is not False:
        return _named(config, data)
    known = _of_simulate(data_result)
    candidates = [known] if known is not None else list(_shipped(config, set(data.species)))
    found = []
    for settings in candidates:
        try:
            found.append(FoundNetwork(settings, _disagreement(settings, data)))
        except ChemNetError as error:
            _log.debug("%s did not make the data: %s", settings["network"], error)
    fitting = [one for one in found if not one.disagreement.disagrees]
    return min(fitting, key=lambda one: one.disagreement.mean, default=None)


def _named(config: ConfigDict, data: PreprocessedData) -> FoundNetwork:
    """Return the network that ``data_set.network`` names; refuse one that did not make the data."""
    tried = [
        FoundNetwork(settings, _disagreement(settings, data))
        for settings in _settings(config["data_set"]["network"], config)
    ]
    best = min(tried, key=lambda one: one.disagreement.mean)
    if best.disagreement.disagrees:
        raise DataError(
            f"data_set.network did not make these data: {'; '.join(map(str, tried))}",
            hint="name the network that made them, with the keys of [simulate.grain] and [simulate.rates]; "
            "or leave data_set.network out",
        )
    return best


def _settings(network: str, config: ConfigDict) -> Iterator[Settings]:
    """Yield how a network of the configuration may have been used: with UCLCHEM's quirks, or without."""
    options = config["simulate"]
    reading, rates = ReadingOptions.of(config["network"]), RateOptions.of(options)
    chosen = [options["uclchem_compatible"]] if _QUIRKS in config.chosen else [False, True]
    for compatible in chosen:
        yield _as_table(network, reading, rates, compatible)


def _of_simulate(data_result: ResultDirectory) -> Settings | None:
    """Return how `simulate` used its network, where it made the data and the network is still there."""
    try:
        origin = network_origin(data_result)
    except ChemNetError:
        return None
    return _as_table(origin.source, origin.reading, origin.rates, origin.options["uclchem_compatible"])


def _as_table(network: str, reading: ReadingOptions, rates: RateOptions, compatible: bool) -> Settings:
    """Return keys of ``[model.ImplicitEmulator]``."""
    return {
        "network": network,
        "uclchem_compatible": compatible,
        "reading": asdict(reading),
        "grain": asdict(rates.grain),
        "rate_scale": dict(rates.scale),
    }


def _shipped(config: ConfigDict, species: set[str]) -> Iterator[Settings]:
    """Yield the networks of some species that come with chemnet, its surrogates' among them."""
    folders = sorted(SHIPPED.rglob(f"{NETWORK_FOLDER}/network.toml"))
    for source in (*_SHIPPED, *(str(file.parent) for file in folders)):
        if species == {one.name for one in read_parts(source).species}:
            yield from _settings(source, config)


def _disagreement(settings: Settings, data: PreprocessedData) -> RateDisagreement:
    """Return how far the steps of a network are from the training split."""
    chemistry = ImplicitChemistry(
        named_network(settings), settings["uclchem_compatible"], data.describe("rows")
    )
    return chemistry.disagreement(*consecutive_steps(_SomeTracers(data)))


class _SomeTracers:
    """Rows of some tracers of the training split, as `before_training` sees all of them."""

    def __init__(self, data: PreprocessedData) -> None:
        self.split = data.split("train")

    def row_batches(self) -> Iterator[Batch]:
        """Yield the rows tracer by tracer."""
        offsets, dt = self.split.offsets, self.split.dt
        count = len(offsets) - 1
        for tracer in np.unique(np.linspace(0, count - 1, min(count, _TRACERS)).astype(int)):
            rows = slice(offsets[tracer], offsets[tracer + 1])
            columns = {name: self.split.read(name, rows) for name in ("abundance", "physical")}
            yield {
                name: torch.from_numpy(np.asarray(values, dtype=np.float32))
                for name, values in {**columns, "dt": dt[rows]}.items()
            }

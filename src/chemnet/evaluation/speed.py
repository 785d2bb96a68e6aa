"""The speed of a surrogate, and of the solver that it replaces."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chemnet.chemistry.network.network import Network
from chemnet.config import ConfigDict
from chemnet.data.histories import Histories, HistorySource
from chemnet.data.preprocessed import PreprocessedData
from chemnet.evaluation.network_origin import network_for
from chemnet.surrogate.surrogate import Surrogate
from chemnet.training.parallel.devices import one_thread

# cells that are emulated together while the time is taken, and rows of each
SPEED_CELLS, SPEED_STEPS = 64, 64
_REPEATS = 2


def speeds(
    surrogate: Surrogate, data: PreprocessedData, source: HistorySource, config: ConfigDict
) -> dict[str, Any]:
    """Return cell-steps per second of a surrogate, and of the solver where a network is at hand.

    Parameters
    ----------
    surrogate
        What is timed.
    data, source
        Where the histories come from; data that `simulate` made know their network.
    config
        Reads ``benchmark.solver_tracers`` and ``benchmark.solver_network``.

    Returns
    -------
    dict
        `surrogate_1_core`, `latent_1_core`, `surrogate_gpu`, `solver_1_core` as far as they were taken, and a
        `note` that says how.
    """
    cells = np.arange(min(SPEED_CELLS, len(source)))
    taken: dict[str, Any] = surrogate_speed(surrogate, source.read(cells))
    n_solved = config["benchmark"]["solver_tracers"]
    asked = network_for(data.directory, surrogate, config) if n_solved else None
    found = asked or "the solver was not asked for"
    if isinstance(found, str):
        return {**taken, "note": f"{SPEED_CELLS} cells at a time; {found}"}
    network, options = found
    solved = cells[:n_solved]
    taken |= solver_speed(network, options, surrogate, source.read(solved))
    note = f"the solver integrated {len(solved)} of the same tracers with the network {network.name!r}"
    return {**taken, "note": f"{SPEED_CELLS} cells at a time; {note}"}


def surrogate_speed(surrogate: Surrogate, histories: Histories) -> dict[str, float]:
    """Return cell-steps per second of full rollouts: on one CPU thread, and on the device if that is a GPU.

    Parameters
    ----------
    surrogate
        On the device that it is used on; it is there again afterwards.
    histories
        What is rolled out, repeated to `SPEED_CELLS` cells.
    """
    device = surrogate.device
    cells = np.arange(SPEED_CELLS) % len(histories)
    physical, dt = histories.physical[cells, :SPEED_STEPS], histories.dt[cells, : SPEED_STEPS - 1]
    start = histories.abundance[cells, 0]
    speeds = {}
    if device.type != "cpu":
        speeds["surrogate_gpu"] = dt.size / _best_time(lambda: surrogate.emulate(physical, start, dt))
    try:
        surrogate.to("cpu")
        latents = surrogate.encode(start)
        with one_thread():
            speeds["surrogate_1_core"] = dt.size / _best_time(lambda: surrogate.emulate(physical, start, dt))
            speeds["latent_1_core"] = dt.size / _best_time(
                lambda: surrogate.latent_emulate(physical, latents, dt)
            )
    finally:
        surrogate.to(device)
    return speeds


def solver_speed(
    network: Network, options: Mapping[str, Any], surrogate: Surrogate, histories: Histories
) -> dict[str, float]:
    """Return cell-steps per second of the solver on one core, over the same histories.

    Parameters
    ----------
    network, options
        What made the truth.
    surrogate
        Names the columns of the histories.
    histories
        What is integrated; the first two rows once more beforehand, so that compilation is not timed.
    """
    order = [surrogate.species.index(name) for name in network.species_names]
    tracers = [
        {"time": when, **{name: values[:, i] for i, name in enumerate(surrogate.physical_names)}}
        for when, values in zip(histories.time, histories.physical, strict=True)
    ]
    initial = histories.abundance[:, 0][:, order]
    network.solve({name: values[:2] for name, values in tracers[0].items()}, initial[0], **options)
    started = time.perf_counter()
    for tracer, start in zip(tracers, initial, strict=True):
        network.solve(tracer, start, **options)
    return {"solver_1_core": histories.dt.size / (time.perf_counter() - started)}


def _best_time(function: Callable[[], None]) -> float:
    """Return the shortest of some wall times [s], after one call that is not timed."""
    function()
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return float(np.min(times))

"""The ways to predict whose error is drawn against their cost: solver, surrogate, what lies between, rivals.

A surrogate with a dial is there at each of its settings. One around an implicit step is there with other
numbers of iterations, other limits of its solver, and without the perceptron that corrects its iterates.
A plain one is there with the solver behind it (`Fallback`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from chemnet.chemistry.network.network import Network
from chemnet.config import ConfigDict
from chemnet.data.histories import Histories
from chemnet.data.preprocessed import PreprocessedData
from chemnet.evaluation.network_origin import network_for
from chemnet.evaluation.score_sums import Forecast
from chemnet.evaluation.score_tracers import Judge, rolled_out
from chemnet.models.emulators.implicit.implicit_emulator import ImplicitEmulator
from chemnet.surrogate.loading import accuracies_of
from chemnet.surrogate.surrogate import Surrogate
from chemnet.surrogate.trust.trained_ranges import Domain
from chemnet.surrogate.wrappers.fallback import Fallback

NetworkAndOptions = tuple[Network, Mapping[str, Any]]

#: relative tolerances of the solver
SOLVER_RTOLS = {"1e-4": 1e-4, "1e-3": 1e-3, "1e-2": 1e-2, "0.1": 1e-1}
# iterations of an implicit step, where their number is fixed
_ITERATIONS = (1, 2, 3)
# expected errors of a step [dex] above which an emulator around an implicit step asks its solver; none: False
_SOLVER_ERRORS = (False, 0.1, 0.03, 0.01)
# shares of the states of the validation split that are expected to be worse than a tolerance of `Fallback`
_DISTRUSTED = (0.02, 0.1, 0.3)
_FALLBACK_RTOL = 1e-2


@dataclass(frozen=True)
class PricedWay:
    """One way to predict, at one setting.

    Attributes
    ----------
    kind
        What it is: ``"solver"``, ``"dial"``, ``"surrogate"``, ``"iterations"``, ``"solver_error"``,
        ``"iterations_alone"``, ``"fallback"``, ``"nearest_neighbour"`` or ``"persistence"``.
    setting
        What is set, in words; empty where there is nothing to set.
    predict
        Forecasts some histories.
    """

    kind: str
    setting: str
    predict: Callable[[Histories], Forecast]


def priced_ways(
    surrogate: Surrogate, judge: Judge, data: PreprocessedData, config: ConfigDict
) -> tuple[list[PricedWay], str]:
    """Return all ways to predict, and what is to be said of them: which network, or why none.

    Parameters
    ----------
    surrogate
        What is benchmarked.
    judge
        Knows the rivals.
    data
        What is scored; data that `simulate` made know their network.
    config
        Names the surrogate, whose dial is turned, and the network.
    """
    dial = _dial(surrogate, config)
    every = list(dial.values()) or [surrogate]
    asked = [network_for(data.directory, each, config) for each in every]
    found = next((one for one in asked if not isinstance(one, str)), asked[0])
    implicit = next((each for each in [surrogate, *every] if _is_implicit(each)), None)
    plain = next((each for each in every if not _is_implicit(each)), None)
    ways = [PricedWay("dial", name, _rollout(each)) for name, each in dial.items()]
    ways += [] if dial else [PricedWay("surrogate", surrogate.name, _rollout(surrogate))]
    ways += [] if implicit is None else [*_implicit_ways(implicit)]
    if not isinstance(found, str):
        ways = [*_solver_ways(*found, surrogate), *ways]
        ways += (
            []
            if plain is None or not plain.is_calibrated
            else [*_fallback_ways(_balancing(plain, data), found)]
        )
    ways += [
        PricedWay(name, "", judge.methods[name].predict) for name in ("nearest_neighbour", "persistence")
    ]
    return ways, _note(found, implicit is not None)


def _note(found: NetworkAndOptions | str, has_implicit: bool) -> str:
    """Return what is to be said of the network."""
    if isinstance(found, str):
        return (
            f"{found}: no solver is drawn. With one (benchmark.solver_network) it is, and an emulator can be "
            "trained that steps by the network's own rates, corrects them and asks the solver where it must: "
            "model.name=ImplicitEmulator, model.ImplicitEmulator.network"
        )
    words = f"the solver integrates the network {found[0].name!r}"
    if not has_implicit:
        words += (
            "; an emulator around its implicit step (model.name=ImplicitEmulator, "
            "model.ImplicitEmulator.network) lies between this surrogate and the solver"
        )
    return words


def _dial(surrogate: Surrogate, config: ConfigDict) -> dict[str, Surrogate]:
    """Return the surrogate at every setting of its dial; empty where it has none."""
    source = config["benchmark"]["surrogate"]
    names = accuracies_of(source) if isinstance(source, str) else []
    if not names:
        return {}
    return {name: Surrogate.load(source, accuracy=name).to(surrogate.device) for name in names}


def _is_implicit(surrogate: Surrogate) -> bool:
    emulator = surrogate.parts.emulator
    return isinstance(emulator, ImplicitEmulator) and emulator.chemistry is not None


def _rollout(surrogate: Surrogate) -> Callable[[Histories], Forecast]:
    return lambda histories: rolled_out(surrogate.predictor, surrogate.device, histories)


def _implicit_ways(surrogate: Surrogate) -> Iterator[PricedWay]:
    """Yield what an emulator around an implicit step gives for other work."""
    emulator: Any = surrogate.parts.emulator
    tolerance = emulator.table["update_tolerance"]

    def variant(changed: ImplicitEmulator) -> Callable[[Histories], Forecast]:
        parts = replace(surrogate.parts, emulator=changed)
        return _rollout(Surrogate(parts, surrogate.domain, surrogate.name, surrogate.provenance))

    for number in _ITERATIONS:
        words = f"{number}, the solver above {tolerance:g} dex"
        yield PricedWay("iterations", words, variant(emulator.spending(iterations=number)))
    for limit in _SOLVER_ERRORS:
        words = "none" if limit is False else f"{limit:g} dex"
        yield PricedWay("solver_error", words, variant(emulator.spending(solver_error=limit)))
    alone = emulator.uncorrected()
    for number in (3, False):
        words = f"{number}, the solver above" if number else "until"
        words += f" {tolerance:g} dex"
        yield PricedWay("iterations_alone", words, variant(alone.spending(iterations=number)))


def _solver_ways(network: Network, options: Mapping[str, Any], surrogate: Surrogate) -> Iterator[PricedWay]:
    order = [surrogate.species.index(name) for name in network.species_names]

    def solved(histories: Histories, rtol: float) -> Forecast:
        abundance = histories.abundance.copy()
        for cell, length in enumerate(histories.valid.sum(axis=1)):
            tracer = {
                name: histories.physical[cell, :length, column]
                for column, name in enumerate(surrogate.physical_names)
            }
            tracer["time"] = histories.time[cell, :length]
            start = abundance[cell, 0, order]
            solution = network.solve(tracer, start, **{**options, "rtol": rtol})
            abundance[cell, :length, order] = solution.abundances.T
        return Forecast(abundance, np.ones(histories.valid.shape, dtype=bool))

    for words, rtol in SOLVER_RTOLS.items():
        yield PricedWay("solver", f"rtol {words}", partial(solved, rtol=rtol))


def _balancing(surrogate: Surrogate, data: PreprocessedData) -> Surrogate:
    """Return a surrogate whose charges balance where those of the data do: the solver keeps a net charge."""
    if surrogate.is_neutral or not Domain.of_training(data).is_neutral:
        return surrogate
    same = (surrogate.parts, surrogate.domain, surrogate.name, surrogate.provenance)
    return Surrogate(*same, lambda predictor: surrogate.judgement).neutral()


def _fallback_ways(surrogate: Surrogate, found: NetworkAndOptions) -> Iterator[PricedWay]:
    """Yield a plain surrogate with the solver behind it, at tolerances that some of its states miss."""
    errors = surrogate.judgement.calibration.errors
    wanted = [float(f"{np.quantile(errors, 1.0 - share):.2g}") for share in _DISTRUSTED]
    network, options = found
    for tolerance in dict.fromkeys(wanted):
        hybrid = Fallback(surrogate, network, tolerance, options={**options, "rtol": _FALLBACK_RTOL})

        def predict(histories: Histories, hybrid: Fallback = hybrid) -> Forecast:
            run = hybrid.emulate(histories.physical, histories.abundance[:, 0], histories.dt)
            return Forecast(run.abundances, run.by_solver)

        yield PricedWay("fallback", f"{tolerance:g} dex", predict)

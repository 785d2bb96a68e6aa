"""Which data a surrogate is scored on: those that it was trained on, or the newest that fit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from chemnet.config import ConfigDict
from chemnet.data.preprocessed import PreprocessedData
from chemnet.errors import ConfigError
from chemnet.progress import get_logger
from chemnet.results import ResultDirectory, list_results, resolve_input
from chemnet.surrogate.loading import configured_surrogate
from chemnet.surrogate.surrogate import Surrogate
from chemnet.training.parallel.devices import choose_device

_log = get_logger(__name__)


def surrogate_to_score(config: ConfigDict) -> Surrogate:
    """Return the surrogate that ``benchmark.surrogate`` names, or ``[surrogate]``, on its device."""
    wanted = config["benchmark"]["surrogate"]
    if wanted is not False and config["surrogate"]["members"]:
        raise ConfigError(
            "benchmark.surrogate and surrogate.members are both set: one surrogate is scored at a time",
            hint="set benchmark.surrogate=false, or surrogate.members=[]",
        )
    surrogate = configured_surrogate(config) if wanted is False else Surrogate.load(wanted, config)
    return surrogate.to(choose_device(config["general"]["device"]))


def data_for(config: ConfigDict, surrogate: Surrogate) -> ResultDirectory:
    """Return the preprocess result that ``benchmark.preprocess_dir`` names; false: the surrogate's own.

    Where that is not at hand, as for a shipped surrogate, it is the newest with the surrogate's species.

    Raises
    ------
    ResultsError
        When there is none.
    """
    if config["benchmark"]["preprocess_dir"] is not False:
        return resolve_input(config, "benchmark.preprocess_dir", "preprocess")
    own = surrogate.provenance["data"]
    for result in _results(config):
        if result.verb == "preprocess" and result.name == own["preprocess"]:
            return result

    def fits(result: ResultDirectory) -> bool:
        return set(surrogate.species) <= set(PreprocessedData(result).species)

    what = "preprocess result with the surrogate's species"
    found = resolve_input(config, "benchmark.preprocess_dir", "preprocess", fits, what)
    if PreprocessedData(found).digest == own["digest"]:
        _log.warning(
            "%s splits the surrogate's training tracers differently: its %s split is not an independent test",
            found.name,
            config["benchmark"]["split"],
        )
    return found


def trained_emulator(config: ConfigDict, surrogate: Surrogate) -> ResultDirectory | None:
    """Return the training result of a surrogate's emulator, where it is at hand."""
    wanted = surrogate.provenance["components"]["emulator"]["digest"]
    return next((result for result in _results(config) if result.digest == wanted), None)


def _results(config: ConfigDict) -> Iterator[ResultDirectory]:
    """Yield the results of the configured folder, and of the one that the surrogate lies in."""
    yield from list_results(config["general"]["results_dir"])
    for wanted in (config["benchmark"]["surrogate"], config["surrogate"]["emulator"]):
        if wanted is not False and Path(wanted).is_dir():
            yield from list_results(Path(wanted).resolve().parent)

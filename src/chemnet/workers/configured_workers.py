"""Which workers the configuration asks for."""

from __future__ import annotations

from collections.abc import Callable

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError
from chemnet.extras import require
from chemnet.progress import get_logger
from chemnet.workers.interface import Workers
from chemnet.workers.local import worker_count

LOCAL = "local"
_log = get_logger(__name__)


def open_workers(config: ConfigDict, otherwise: Callable[[], Workers]) -> Workers:
    """Return the workers that ``general.dask`` names, or what `otherwise` makes where it is false.

    Dask is imported here and nowhere else.

    Raises
    ------
    ConfigError
        When ``general.dask`` is neither ``"local"`` nor the address of a scheduler that answers.
    """
    wanted = config["general"]["dask"]
    if wanted is False:
        return otherwise()
    if wanted != LOCAL and "://" not in wanted:
        raise ConfigError(
            f"general.dask = {wanted!r} is no address",
            hint='allowed: false, "local", or the address of a scheduler such as "tcp://10.0.0.1:8786"',
        )
    require("distributed", f"general.dask = {wanted!r}")
    from chemnet.workers.dask_workers import DaskWorkers

    if wanted == LOCAL:
        count = worker_count(config["general"]["dask_workers"])
        _log.info("starting %d Dask workers on this machine", count)
        return DaskWorkers.on_this_machine(count)
    return DaskWorkers.of_scheduler(wanted)

"""The workers of a Dask scheduler, on this machine or elsewhere.

A worker that dies does no harm: the scheduler gives its tasks to another one and sends shared data again.
Tasks only return results, so running one twice is harmless.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Self

from chemnet import plugins
from chemnet.errors import ConfigError
from chemnet.workers.interface import Workers

# longest wait for a scheduler's first answer, and for the first of its workers [s]
_CONNECTION_TIMEOUT = 15


class DaskWorkers(Workers):
    """The workers of a scheduler that a Dask client is connected to.

    Parameters
    ----------
    client
        The connection; it is closed with the workers.
    cluster
        A cluster that lives and ends with these workers, or None for somebody else's.
    """

    def __init__(self, client: Any, cluster: Any | None = None) -> None:
        self._client, self._cluster = client, cluster
        self._executor = client.get_executor(pure=False)

    @classmethod
    def on_this_machine(cls, count: int) -> Self:
        """Start `count` processes with one thread each; their scheduler listens to this machine alone."""
        from distributed import Client, LocalCluster

        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            # no page to look at; what the scheduler serves in its place takes any free port
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            # chemnet bounds its memory itself: a worker is not to be killed for what the data needs
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        )
        return cls(Client(cluster, set_as_default=False), cluster)

    @classmethod
    def of_scheduler(cls, address: str) -> Self:
        """Connect to a running scheduler.

        Raises
        ------
        ConfigError
            When the address is none, nobody answers there, or the scheduler has no workers.
        """
        from distributed import Client

        try:
            client = Client(address, timeout=_CONNECTION_TIMEOUT, set_as_default=False)
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            raise ConfigError(
                f"general.dask = {address!r}: no Dask scheduler answers there ({type(error).__name__})",
                hint="start `dask scheduler` and `dask worker ADDRESS`, or set general.dask = 'local'",
            ) from error
        try:
            client.wait_for_workers(1, timeout=_CONNECTION_TIMEOUT)
        except OSError as error:
            client.close()
            raise ConfigError(
                f"general.dask = {address!r}: the scheduler has no workers",
                hint=f"start some: dask worker {address}",
            ) from error
        return cls(client)

    @property
    def address(self) -> str:
        """Where the scheduler is: what ``general.dask`` takes."""
        return str(self._client.scheduler.address)

    @property
    def in_flight(self) -> int:  # type: ignore[override]
        """Two tasks per thread, of those workers that are there now."""
        return 2 * max(1, sum(self._client.nthreads().values()))

    def share(self, value: Any) -> Any:
        """Return a future of `value`; the scheduler keeps what is needed to recreate it."""
        return self._client.submit(_itself, value, pure=False)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Let a worker call the function, with the plugins that this process may import."""
        return self._executor.submit(_called, plugins.trusted(), function, *arguments)

    def close(self) -> None:
        """Drop tasks that have not begun and disconnect; processes started by chemnet end."""
        self._executor.shutdown(wait=False)
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def _called(trusted: frozenset[str], function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function where the user's configuration was not read."""
    plugins.trust(*trusted)
    return function(*arguments)


def _itself(value: Any) -> Any:
    """Return the value: a task, unlike data that were merely sent, is run again where its worker died."""
    return value

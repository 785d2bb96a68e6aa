"""Where tasks run: in this thread, in threads of this process, or on the workers of a Dask scheduler."""

from chemnet.workers.configured_workers import open_workers
from chemnet.workers.interface import Workers, completed, ordered
from chemnet.workers.local import ThisThread, Threads, worker_count

__all__ = ["ThisThread", "Threads", "Workers", "completed", "open_workers", "ordered", "worker_count"]

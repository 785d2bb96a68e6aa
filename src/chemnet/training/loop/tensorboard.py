"""Figures of a training for TensorBoard, in the training's own result."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from chemnet.progress import get_logger
from chemnet.training.loop.session import Session

FOLDER = "tensorboard"
_log = get_logger(__name__)


# not Ignite's TensorboardLogger: with it a resumed run would keep epochs that were never complete
class _EventFile:
    """Writes the figures of each epoch as TensorBoard's scalars."""

    def __init__(self, session: Session) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # of an epoch that was never complete in the state nothing is shown
        self.writer = SummaryWriter(str(session.folder / FOLDER), purge_step=session.state.epoch + 1)

    def epoch(self, record: Mapping[str, float]) -> None:
        """Write the figures of one epoch through to the disk."""
        for name, value in record.items():
            if name != "epoch":
                self.writer.add_scalar(name, value, int(record["epoch"]))
        self.writer.flush()


@contextmanager
def tensorboard(session: Session) -> Iterator[list[_EventFile]]:
    """Yield what writes for TensorBoard where ``train.tensorboard`` asks for it, or an empty list."""
    if not session.table["tensorboard"]:
        yield []
        return
    file = _EventFile(session)
    where = shlex.quote(str(session.config["general"]["results_dir"]))
    _log.info("TensorBoard shows this training: tensorboard --logdir %s", where)
    try:
        yield [file]
    finally:
        file.writer.close()

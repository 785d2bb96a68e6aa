"""Reading a data set block by block ahead of its use, in threads or on workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chemnet.data.chem_dataset import ChemDataset, TracerBlock
from chemnet.workers import Workers, ordered


class BlockReader:
    """Reads groups of tracers on workers that see the files under the same paths.

    Parameters
    ----------
    dataset
        What is read; a worker elsewhere opens it again, as it is configured.
    workers
        Who reads.
    """

    def __init__(self, dataset: ChemDataset, workers: Workers) -> None:
        self._workers, self._source = workers, workers.share(dataset)

    def blocks(self, groups: Sequence[Sequence[int]]) -> Iterator[TracerBlock]:
        """Yield ``dataset.read_stored(group)`` for each group, in order."""
        return ordered(self._workers, _read_stored, groups, shared=[self._source])

    def conditions(self, groups: Sequence[Sequence[int]]) -> Iterator[TracerBlock]:
        """Yield ``dataset.read_conditions(group)`` for each group, in order."""
        return ordered(self._workers, _read_conditions, groups, shared=[self._source])


def _read_stored(dataset: ChemDataset, group: Sequence[int]) -> TracerBlock:
    return dataset.read_stored(group)


def _read_conditions(dataset: ChemDataset, group: Sequence[int]) -> TracerBlock:
    return dataset.read_conditions(group)

"""Finding a sample by its id among millions, without reading them."""

from __future__ import annotations

from pathlib import Path

from chemnet.data.infer_result.infer_result_writer import ROWS_PER_FILE
from chemnet.data.npy_files import open_npy


class SampleIndex:
    """The ids of an infer result in sorted order, and the row of each.

    Parameters
    ----------
    path
        ``batch_index.npy``: structured ``(id, batch, row)``, sorted by id.
    """

    def __init__(self, path: Path) -> None:
        self._entries = open_npy(path)
        self._ids = self._entries["id"]

    def row(self, sample_id: str) -> int | None:
        """Return the row of a sample, or None when there is none of that id."""
        place = self._place(sample_id)
        if place == len(self._ids) or str(self._ids[place]) != sample_id:
            return None
        entry = self._entries[place]
        return int(entry["batch"]) * ROWS_PER_FILE + int(entry["row"])

    def after(self, text: str, count: int) -> list[str]:
        """Return the first `count` ids that are not smaller than `text`."""
        place = self._place(text)
        return [str(name) for name in self._ids[place : place + count]]

    def around(self, text: str) -> list[str]:
        """Return the two ids before and the two after the place of `text`."""
        place = self._place(text)
        return [str(name) for name in self._ids[max(0, place - 2) : place + 2]]

    def _place(self, text: str) -> int:
        # bisecting touches 20 pages of the map; numpy.searchsorted would first copy the whole strided column
        low, high = 0, len(self._ids)
        while low < high:
            middle = (low + high) // 2
            if str(self._ids[middle]) < text:
                low = middle + 1
            else:
                high = middle
        return low

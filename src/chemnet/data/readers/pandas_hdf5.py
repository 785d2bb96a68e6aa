"""Tables of pandas' `to_hdf`, the format of UCLCHEM and AstroChemNet, read without pandas or PyTables.

pandas has two layouts. "fixed" keeps one 2-D array per dtype (`block<i>_values`) and the names of its columns
(`block<i>_items`). "table" keeps one compound array whose fields are columns or blocks of columns; the names
of a block's columns are in an attribute that PyTables pickled. Nothing is unpickled here: the names are taken
from the pickle's string opcodes, which runs no code.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np

from chemnet.data.readers.hdf5 import LABEL_ROWS, copy_columns, readable, texts
from chemnet.data.readers.table_source import TableSource, tracer_label
from chemnet.errors import DataError

_TEXT_OPCODES = frozenset(
    {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING"}
)
# All that pickled lists and mappings of strings and numbers consist of; anything else could run code.
_LIST_OPCODES = _TEXT_OPCODES | {
    "PROTO", "FRAME", "MARK", "LIST", "EMPTY_LIST", "APPEND", "APPENDS", "PUT", "BINPUT", "LONG_BINPUT",
    "MEMOIZE", "INT", "BININT", "BININT1", "BININT2", "TUPLE", "TUPLE2", "STOP",
    "GET", "BINGET", "LONG_BINGET", "NONE", "DICT", "EMPTY_DICT", "SETITEM", "SETITEMS",
}  # fmt: skip


_PICKLED_NONE = "N."


class PandasTable(TableSource):
    """A pandas table of either layout, as blocks of columns.

    Parameters
    ----------
    path
        The file.
    group
        The group that pandas wrote, for example `df`.

    Raises
    ------
    DataError
        When the group is not such a table, or keeps its column names as pickled objects.
    """

    def __init__(self, path: Path, group: h5py.Group) -> None:
        self.path = path
        self.where = f"{path} (key '{group.name.strip('/')}')"
        self._blocks: list[_Block] = (
            _table_blocks(group, self.where) if "table" in group else _fixed_blocks(group, self.where)
        )
        held = {name for block in self._blocks for name in block.names}
        index = [level for level in _index_levels(group, self.where) if level.names[0] not in held]
        self.optional = frozenset(level.names[0] for level in index)
        self._blocks += index
        homes = [(name, (block, place)) for block in self._blocks for place, name in enumerate(block.names)]
        rank = {name: i for i, name in enumerate(_column_order(group, self.where))}
        homes.sort(key=lambda home: rank.get(home[0], len(rank)))
        self.columns = tuple(name for name, _ in homes)
        self._home = [home for _, home in homes]
        self._n_rows = max((len(block.dataset) for block in self._blocks if block.readable), default=0)

    @staticmethod
    def matches(group: h5py.Group) -> bool:
        """Tell whether pandas wrote this group."""
        kind = group.attrs.get("pandas_type", b"")
        return (kind.decode() if isinstance(kind, bytes) else str(kind)) in ("frame", "frame_table")

    def read(self, start: int, stop: int, columns: Sequence[int]) -> np.ndarray:
        """Return rows of some columns, float64."""
        out = np.empty((stop - start, len(columns)))
        for block in self._blocks:
            chosen = [(i, self._home[c][1]) for i, c in enumerate(columns) if self._home[c][0] is block]
            if chosen:
                targets, places = zip(*chosen, strict=True)
                self._check_numeric(block, places)
                low, high = min(places), max(places) + 1
                with readable(self.path):
                    rows = block.rows(start, stop, low, high)
                copy_columns(rows, [place - low for place in places], out, targets)
        return out

    def read_parts(
        self, start: int, stop: int, conditions: Sequence[int], abundances: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return rows of two kinds of columns; a run of float32 columns stays as it is."""
        homes = [self._home[column] for column in abundances]
        block, first = homes[0] if homes else (None, 0)
        run = [(block, first + number) for number in range(len(homes))]
        if block is None or homes != run or not block.is_single:
            return super().read_parts(start, stop, conditions, abundances)
        with readable(self.path):
            rows = block.rows(start, stop, first, first + len(homes))
        return self.read(start, stop, conditions), rows

    def labels(self, column: int) -> Iterator[np.ndarray]:
        """Yield one column in pieces; it may hold text where the layout is "table"."""
        block, place = self._home[column]
        if not block.readable:
            raise _pickled(f"{self.where}: column '{self.columns[column]}'")
        for start in range(0, self._n_rows, block.label_rows):
            with readable(self.path):
                rows = block.rows(start, start + block.label_rows, place, place + 1)
            yield rows[:, 0]

    def _check_numeric(self, block: _Block, places: Sequence[int]) -> None:
        if block.readable and block.kind in "biuf":
            return
        name = block.names[places[0]]
        if not block.readable:
            raise _pickled(f"{self.where}: column '{name}'")
        raise DataError(f"{self.where}: column '{name}' holds text, not numbers", hint="store it as numbers")


class _Block:
    """Columns of one dtype that lie together: a 2-D array, or one field of a compound array."""

    def __init__(self, dataset: h5py.Dataset, names: Sequence[str], field: str | None = None) -> None:
        self.dataset = dataset
        self.names = tuple(names)
        self._field = field
        dtype = dataset.dtype if field is None else dataset.dtype[field].base
        self.kind = dtype.kind
        self.is_single = dtype == np.float32
        # objects are a variable-length array of pickled bytes
        self.readable = self.kind in "biufS" and (field is not None or dataset.ndim == 2)

    @property
    def label_rows(self) -> int:
        """Rows to read at a time for one column; of a field, its other columns are read as well."""
        return LABEL_ROWS if self._field is None else max(1, LABEL_ROWS // len(self.names))

    def rows(self, start: int, stop: int, low: int, high: int) -> np.ndarray:
        """Return rows of the columns ``low:high`` of the block."""
        if self._field is None:
            return self.dataset[start:stop, low:high]
        rows = self.dataset.fields(self._field)[start:stop]
        return rows.reshape(len(rows), -1)[:, low:high]


class _IndexLevel(_Block):
    """One named level of the index, as a block of one column.

    A plain index is an array or a field of the table; a level of a multi-index holds, row by row, numbers of
    the labels in `labels`. Dates and objects are not plain and are never read.
    """

    def __init__(
        self,
        name: str,
        dataset: h5py.Dataset,
        field: str | None = None,
        labels: np.ndarray | None = None,
        is_plain: bool = True,
    ) -> None:
        super().__init__(dataset, (name,), field)
        self._labels = labels
        if labels is not None:
            self.kind = labels.dtype.kind
        self.readable = is_plain and self.kind in "biufS"
        self.is_single = False

    def rows(self, start: int, stop: int, low: int, high: int) -> np.ndarray:
        """Return rows of the only column."""
        dataset = self.dataset if self._field is None else self.dataset.fields(self._field)
        rows = dataset[start:stop]
        return (rows if self._labels is None else self._labels[rows])[:, None]


def _index_levels(group: h5py.Group, where: str) -> list[_IndexLevel]:
    if "table" in group:
        info = group.attrs.get("info")
        names = [] if info is None else pickled_strings(info, f"{where}: attribute 'info'")
        # the pickled mapping reads ..., "index_name", <name>, ...
        place = names.index("index_name") + 1 if "index_name" in names else len(names)
        plain = _is_plain(group["table"], "index_kind")
        return (
            [_IndexLevel(names[place], group["table"], "index", is_plain=plain)] if place < len(names) else []
        )
    levels = []
    if "axis1" in group and group["axis1"].ndim == 1:
        levels = [(group["axis1"], None, group["axis1"])]
    while (name := f"axis1_level{len(levels)}") in group:
        levels.append((group[f"axis1_label{len(levels)}"], group[name][:], group[name]))
    return [
        _IndexLevel(name, codes, labels=labels, is_plain=_is_plain(named, "kind"))
        for codes, labels, named in levels
        if (name := tracer_label(named.attrs.get("name", b""))) not in ("", _PICKLED_NONE)
    ]


def _is_plain(dataset: h5py.Dataset, attribute: str) -> bool:
    """Tell whether an index holds numbers or text, not dates or objects."""
    return tracer_label(dataset.attrs.get(attribute, b"")) in ("integer", "float", "string")


def _fixed_blocks(group: h5py.Group, where: str) -> list[_Block]:
    blocks: list[_Block] = []
    while (name := f"block{len(blocks)}_items") in group:
        items = group[name]
        if items.dtype.kind not in "SUiuf" and h5py.check_string_dtype(items.dtype) is None:
            raise _pickled(f"{where}: the column names in '{name}'")
        blocks.append(_Block(group[f"block{len(blocks)}_values"], texts(items[:])))
    return blocks


def _table_blocks(group: h5py.Group, where: str) -> list[_Block]:
    table = group["table"]
    blocks: list[_Block] = []
    for field in table.dtype.names or ():
        kind = table.attrs.get(f"{field}_kind")
        if field == "index" or kind is None:
            continue
        names = pickled_strings(kind, f"{where}: attribute '{field}_kind'")
        width = int(np.prod(table.dtype[field].shape, dtype=int))
        if len(names) != width:
            raise DataError(f"{where}: field '{field}' has {width} columns and {len(names)} names")
        blocks.append(_Block(table, names, field))
    return blocks


def _column_order(group: h5py.Group, where: str) -> list[str]:
    if "axis0" in group:
        return texts(group["axis0"][:])
    axes = group.attrs.get("non_index_axes")
    return [] if axes is None else pickled_strings(axes, f"{where}: attribute 'non_index_axes'")


def pickled_strings(pickled: bytes, where: str) -> list[str]:
    """Return the strings of a pickled list, by reading its opcodes; no code can run.

    Raises
    ------
    DataError
        When the pickle holds anything but lists, tuples, mappings, strings and numbers.
    """
    names = []
    try:
        for opcode, argument, _ in pickletools.genops(bytes(pickled)):
            if opcode.name not in _LIST_OPCODES:
                raise _pickled(where)
            if opcode.name in _TEXT_OPCODES:
                names.append(str(argument))
    except ValueError as error:
        raise DataError(f"{where}: not a list of column names ({error})") from error
    return names


def _pickled(what: str) -> DataError:
    """Return the error for content that only unpickling could read, and for dates."""
    return DataError(
        f"{what} is stored as pickled Python objects, which chemnet never loads, or holds dates",
        hint="write the table again with numeric columns and plain string names",
    )

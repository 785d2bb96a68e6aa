"""Write a simulated set as the pandas table that AstroChemNet and UCLCHEM users know.

`pandas.read_hdf(path, "df")` reads it; neither pandas nor PyTables is needed to write it. The fixed layout of
pandas keeps columns of one type together as a block, so the table is written tracer by tracer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from chemnet.data.hdf5_output import HDF5Output
from chemnet.data.simulated_set import SimulatedSet

KEY = "df"
_COUNTERS = ("Index", "Model")
_SURFACE, _BULK = "SURFACE", "BULK"
# an axis without a name is stored as a pickled None; PyTables unpickles bytes, and takes UTF-8 as text
_PICKLED_NONE = np.bytes_("N.")


def write_pandas_layout(simulated: SimulatedSet, path: str | Path) -> None:
    """Write columns Index, Model, Time, the physical parameters, the species, SURFACE and BULK.

    SURFACE and BULK are the sums of the `#` and the `@` species. Rows run through all tracers in order.

    Parameters
    ----------
    simulated
        The set to write.
    path
        The HDF5 file to make; the table has the key ``df``.
    """
    parameters = ("Time", *simulated.physical_names)
    abundances = (*simulated.species, _SURFACE, _BULK)
    with HDF5Output(path) as output:
        file = output.file
        file.attrs.update(_node("GROUP", "1.0", PYTABLES_FORMAT_VERSION=_text("2.1")))
        group = file.create_group(KEY)
        group.attrs.update(_frame_attributes())
        _write_labels(group, "axis0", (*_COUNTERS, *parameters, *abundances))
        index = group.create_dataset("axis1", data=np.arange(simulated.n_rows))
        index.attrs.update(_array_node(kind=_text("integer"), name=_PICKLED_NONE))
        blocks = [
            _create_block(group, number, names, kind, simulated.n_rows)
            for number, (names, kind) in enumerate(
                ((_COUNTERS, "i8"), (parameters, "f8"), (abundances, "f4"))
            )
        ]
        _fill(blocks, simulated, output)


def _fill(blocks: Sequence[h5py.Dataset], simulated: SimulatedSet, output: HDF5Output) -> None:
    counters, parameters, abundances = blocks
    surface = np.array([name.startswith("#") for name in simulated.species], dtype=np.float64)
    bulk = np.array([name.startswith("@") for name in simulated.species], dtype=np.float64)
    start = 0
    for tracer in simulated:
        time, values = simulated.time(tracer), simulated.abundances(tracer)
        rows = slice(start, start + len(time))
        counters[rows] = np.column_stack(
            [np.arange(rows.start, rows.stop), np.full(len(time), simulated.models[tracer])]
        )
        parameters[rows] = np.column_stack([time, simulated.physical(tracer)])
        abundances[rows] = np.column_stack([values, values @ surface, values @ bulk])
        start = rows.stop
        output.check()


def _create_block(
    group: h5py.Group, number: int, names: Sequence[str], kind: str, n_rows: int
) -> h5py.Dataset:
    group.attrs[f"block{number}_items_variety"] = _text("regular")
    _write_labels(group, f"block{number}_items", names)
    values = group.create_dataset(
        f"block{number}_values",
        (n_rows, len(names)),
        kind,
        chunks=(min(n_rows, 256), len(names)),
        compression="gzip",
        compression_opts=1,
        shuffle=True,
    )
    values.attrs.update(_array_node())
    return values


def _write_labels(group: h5py.Group, name: str, labels: Sequence[str]) -> None:
    dataset = group.create_dataset(name, data=np.array([label.encode() for label in labels]))
    dataset.attrs.update(_array_node(kind=_text("string"), name=_PICKLED_NONE, nan_rep=_text("nan")))


def _frame_attributes() -> dict[str, object]:
    return {
        **_node("GROUP", "1.0"),
        "axis0_variety": _text("regular"),
        "axis1_variety": _text("regular"),
        "encoding": _text("UTF-8"),
        "errors": _text("strict"),
        "nblocks": 3,
        "ndim": 2,
        "pandas_type": _text("frame"),
        "pandas_version": _text("0.15.2"),
    }


def _array_node(**attributes: object) -> dict[str, object]:
    """Return the attributes of an array as PyTables writes them; transposed means (rows, columns)."""
    return {**_node("CARRAY", "1.1"), "transposed": 1, **attributes}


def _node(kind: str, version: str, **attributes: object) -> dict[str, object]:
    """Return the attributes that PyTables gives every node."""
    empty = h5py.Empty(np.dtype("S1"))
    return {"CLASS": _text(kind), "VERSION": _text(version), "TITLE": empty, **attributes}


def _text(value: str) -> np.ndarray:
    return np.array(value.encode(), dtype=h5py.string_dtype("utf-8", len(value)))

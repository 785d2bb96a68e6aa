"""Nested records of arrays and numbers as one flat mapping of arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from chemnet.errors import ModelError

Record = TypeVar("Record")


def pack(record: Any, prefix: str = "") -> dict[str, NDArray[Any]]:
    """Return the fields of a named tuple or dataclass as arrays, by dotted name.

    Parameters
    ----------
    record
        Holds arrays, numbers and further records.
    prefix
        Stands before every name.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for name in _field_names(type(record)):
        value = getattr(record, name)
        if _field_names(type(value)):
            arrays |= pack(value, f"{prefix}{name}.")
        else:
            arrays[f"{prefix}{name}"] = np.asarray(value)
    return arrays


def unpack(kind: type[Record], arrays: Mapping[str, NDArray[Any]], prefix: str = "") -> Record:
    """Return the record whose fields `pack` wrote.

    Raises
    ------
    ModelError
        If an array is missing.
    """
    values = {}
    for name, hint in get_type_hints(kind).items():
        full = f"{prefix}{name}"
        if _field_names(hint):
            values[name] = unpack(hint, arrays, f"{full}.")
            continue
        if full not in arrays:
            raise ModelError(f"array {full!r} is missing", hint="the arrays must come from to_arrays")
        values[name] = (
            hint(arrays[full]) if hint in (int, float, bool) else np.ascontiguousarray(arrays[full])
        )
    return kind(**values)


def _field_names(kind: Any) -> tuple[str, ...]:
    """Return the names of the fields of a record type; none for other types."""
    if is_dataclass(kind):
        return tuple(one.name for one in fields(kind))
    return tuple(getattr(kind, "_fields", ()))

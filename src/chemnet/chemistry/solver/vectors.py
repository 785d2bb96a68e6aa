"""Eight numbers at a time, as compiled code holds them in vector registers.

Left to itself the compiler keeps one row in registers and reloads the others; a block of a matrix stays in
them only if it is said which. The functions can be called from compiled code alone. Offsets are not checked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model
from numpy.typing import NDArray

LANES = 8
_CACHE_LINE = 64
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_LANE = ir.IntType(32)
_FUSED = ("contract",)


class _Vector(types.Type):  # type: ignore[misc]
    """Numba's type of eight float64."""

    def __init__(self) -> None:
        super().__init__(name=f"float64x{LANES}")


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    """Held as one vector of LLVM."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


_vector = _Vector()


def aligned_zeros(size: int) -> NDArray[np.float64]:
    """Return zeros that begin where a cache line does: a vector across two lines takes twice as long."""
    room = np.zeros(size + LANES)
    first = -room.ctypes.data % _CACHE_LINE // room.itemsize
    return room[first : first + size]


@intrinsic  # type: ignore[untyped-decorator]
def load(_: Any, array: Any, offset: Any) -> Any:
    """Return what a contiguous array holds from `offset` on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        loaded = builder.load(_pointer(context, builder, signature, values))
        loaded.align = 8
        return loaded

    return _vector(array, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def store(_: Any, array: Any, offset: Any, vector: Any) -> Any:
    """Write a vector into a contiguous array from `offset` on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], _pointer(context, builder, signature, values)).align = 8
        return context.get_dummy_value()

    return types.void(array, types.intp, _vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def everywhere(_: Any, number: Any) -> Any:
    """Return a vector with one number in all lanes."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _everywhere(builder, values[0])

    return _vector(types.float64), generate


@intrinsic  # type: ignore[untyped-decorator]
def scaled(_: Any, vector: Any, factor: Any) -> Any:
    """Return vector x factor."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.fmul(values[0], _everywhere(builder, values[1]))

    return _vector(_vector, types.float64), generate


def _lane_by_lane(operation: str) -> Any:
    """Return a function of two vectors that does one of LLVM's operations in each lane."""

    @intrinsic  # type: ignore[untyped-decorator]
    def function(_: Any, one: Any, other: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return getattr(builder, operation)(*values)

        return _vector(_vector, _vector), generate

    return function


plus, minus, times, over = (_lane_by_lane(operation) for operation in ("fadd", "fsub", "fmul", "fdiv"))
"""Sum, difference, product and quotient of two vectors, lane by lane."""


@intrinsic  # type: ignore[untyped-decorator]
def less(_: Any, vector: Any, factor: Any, other: Any) -> Any:
    """Return vector - factor x other."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        product = builder.fmul(_everywhere(builder, values[1]), values[2], flags=_FUSED)
        return builder.fsub(values[0], product, flags=_FUSED)

    return _vector(_vector, types.float64, _vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def less_product(_: Any, vector: Any, one: Any, other: Any) -> Any:
    """Return vector - one x other, lane by lane."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        product = builder.fmul(values[1], values[2], flags=_FUSED)
        return builder.fsub(values[0], product, flags=_FUSED)

    return _vector(_vector, _vector, _vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def zeros(_: Any) -> Any:
    """Return eight zeros."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return ir.Constant(_VECTOR, [0.0] * LANES)

    return _vector(), generate


@intrinsic  # type: ignore[untyped-decorator]
def total(_: Any, vector: Any) -> Any:
    """Return the sum of the lanes."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        summed, width = values[0], LANES
        while width > 1:
            width //= 2
            turned = [(lane + width) % LANES for lane in range(LANES)]
            mask = ir.Constant(ir.VectorType(_LANE, LANES), turned)
            summed = builder.fadd(summed, builder.shuffle_vector(summed, summed, mask))
        return builder.extract_element(summed, ir.Constant(_LANE, 0))

    return types.float64(_vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def transpose(_: Any, array: Any, offset: Any) -> Any:
    """Transpose in place the 8 x 8 numbers that a contiguous array holds from `offset` on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        first = _pointer(context, builder, signature, values)
        places = [builder.gep(first, [ir.Constant(_LANE, row)]) for row in range(LANES)]
        rows = [builder.load(place, align=8) for place in places]
        for width in (1, 2, 4):  # swap what lies off the diagonal in blocks of 2, 4 and 8 rows
            for row in range(LANES):
                if not row & width:
                    upper, lower = rows[row], rows[row + width]
                    for target, side in ((row, 0), (row + width, width)):
                        chosen = [
                            lane - width + side + LANES if lane & width else lane + side
                            for lane in range(LANES)
                        ]
                        mask = ir.Constant(ir.VectorType(_LANE, LANES), chosen)
                        rows[target] = builder.shuffle_vector(upper, lower, mask)
        for place, row in zip(places, rows, strict=True):
            builder.store(row, place, align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _pointer(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    """Return where in an array a vector starts."""
    array = context.make_array(signature.args[0])(context, builder, values[0])
    return builder.bitcast(builder.gep(array.data, [values[1]]), _VECTOR.as_pointer())


def _everywhere(builder: Any, number: Any) -> Any:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, number, ir.Constant(_LANE, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_LANE, LANES), [0] * LANES))

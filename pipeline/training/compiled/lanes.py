"""Vectors for compiled functions: LANES numbers side by side, one for each of as many samples.

LLVM keeps a vector in one register of 512 bits, two of 256 or four of 128, whatever the processor has. Every operation
treats each lane separately, rounds once, and keeps the order of the source. So the result is the same to the bit on
every processor, which a loop that the compiler vectorises does not promise.

Numba has no such type. The functions here, called from compiled functions only, write LLVM's instructions themselves.
"""

from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

LANES: Final = 16  # float32 numbers
ADDED: Final = 8  # vectors that `add_sums` takes
_NUMBER, _PLACE = ir.FloatType(), ir.IntType(32)
_VECTOR = ir.VectorType(_NUMBER, LANES)
_UNDEFINED = ir.Constant(_VECTOR, ir.Undefined)


class _LanesType(types.Type):
    """Numba's type of a vector."""

    def __init__(self) -> None:
        super().__init__("Lanes")


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):
    """Keeps a vector as one value of LLVM."""

    def __init__(self, manager: Any, numba_type: _LanesType) -> None:
        super().__init__(manager, numba_type, _VECTOR)


_lanes = _LanesType()


@intrinsic
def load(typing: Any, array: types.Array, index: types.Integer) -> Any:
    """Return array[index : index + LANES] of a flat array as a vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_pointer(context, builder, signature, arguments, _VECTOR), align=4)

    return _lanes(array, types.intp), generate


@intrinsic
def store(typing: Any, array: types.Array, index: types.Integer, vectors: Any) -> Any:
    """Set entries of a flat array, from array[index] on, to a tuple of vectors."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first = _pointer(context, builder, signature, arguments, _VECTOR)
        for place, vector in enumerate(cgutils.unpack_tuple(builder, arguments[2])):
            builder.store(vector, builder.gep(first, [ir.Constant(_PLACE, place)]), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, vectors), generate


@intrinsic
def repeat(typing: Any, array: types.Array, index: types.Integer) -> Any:
    """Return a vector with array[index] of a flat array in every lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = builder.load(_pointer(context, builder, signature, arguments, _NUMBER))
        first = builder.insert_element(_UNDEFINED, number, ir.Constant(_PLACE, 0))
        return builder.shuffle_vector(first, _UNDEFINED, ir.Constant(ir.VectorType(_PLACE, LANES), [0] * LANES))

    return _lanes(array, types.intp), generate


@intrinsic
def zeros(typing: Any) -> Any:
    """Return a vector of zeros."""
    return _lanes(), lambda context, builder, signature, arguments: ir.Constant(_VECTOR, [0.0] * LANES)


@intrinsic
def multiply_add(typing: Any, first: _LanesType, second: _LanesType, total: _LanesType) -> Any:
    """Return first * second + total, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
        return builder.call(function, arguments)

    return _lanes(first, second, total), generate


@intrinsic
def add_sums(typing: Any, array: types.Array, index: types.Integer, vectors: Any) -> Any:
    """Add the sum of the lanes of each of ADDED vectors to array[index], array[index + 1], ...

    Pairs of vectors are folded into one until one is left, which takes three instructions for each pair.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        folded = cgutils.unpack_tuple(builder, arguments[2])
        while len(folded) > 1:
            half = len(folded) // 2
            pairs = zip(folded[:half], folded[half:], strict=True)
            folded = [_fold(builder, first, second, half) for first, second in pairs]
        sums = _fold(builder, folded[0], folded[0], ADDED, LANES // 2)
        place = _pointer(context, builder, signature, arguments, ir.VectorType(_NUMBER, ADDED))
        builder.store(builder.fadd(builder.load(place, align=4), sums), place, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, vectors), generate


def _fold(builder: Any, first: Any, second: Any, size: int, lanes: int = LANES) -> Any:
    """Return a vector whose groups of `size` lanes are in turn sums of two groups of `first` and two of `second`."""
    even = [at + lane for at in range(0, LANES, 2 * size) for lane in (*range(size), *range(LANES, LANES + size))]
    pieces = [
        builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(_PLACE, lanes), places[:lanes]))
        for places in (even, [place + size for place in even])
    ]
    return builder.fadd(*pieces)


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any, kind: ir.Type) -> Any:
    """Return the address of arguments[0][arguments[1]], as one of a number or a vector."""
    array = cgutils.create_struct_proxy(signature.args[0])(context, builder, arguments[0])
    return builder.bitcast(builder.gep(array.data, [arguments[1]]), kind.as_pointer())

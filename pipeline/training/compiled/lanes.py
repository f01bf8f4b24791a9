"""Vectors for compiled functions: LANES numbers side by side, one for each of as many samples.

LLVM keeps a vector in one register of 512 bits, two of 256 or four of 128, whatever the processor has. Every operation
treats each lane separately, so the order of sums is the same on every processor, which a loop that the compiler
vectorises does not promise. Nor do short loops lose time before their first and after their last whole vector.

Numba has no such type. The functions here, called from compiled functions only, write LLVM's instructions themselves.
Operators, `choose`, `floor` and `power_of_two` take vectors and float32 numbers; a number beside a vector stands in
every lane.
"""

import operator
from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

LANES: Final = 16  # float32 numbers
ADDED: Final = 8  # vectors that `add_sums` takes
Numbers = Any  # a vector, or a float32 number
FLAGS: Final = ("reassoc", "contract", "nsz")  # how LLVM may change formulas; see `compiling`
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


def _define(function: Callable[..., Any], generate: Callable[..., Any], *signatures: tuple[types.Type, ...]) -> None:
    """Let compiled code call `function`, such as an operator, with these types of arguments; the result is a vector."""

    @type_callable(function)
    def type_of(_: Any) -> Any:
        if len(signatures[0]) == 1:
            return lambda x: _lanes if (x,) in signatures else None
        return lambda x, y: _lanes if (x, y) in signatures else None

    for signature in signatures:
        lower_builtin(function, *signature)(
            lambda context, builder, signature, arguments: generate(builder, *_alike(builder, arguments))
        )


def _alike(builder: Any, values: Any) -> list[Any]:
    """Return the values as vectors if one of them is a vector."""
    if all(value.type != _VECTOR for value in values):
        return list(values)
    return [value if value.type == _VECTOR else _spread(builder, value) for value in values]


def _spread(builder: Any, number: Any) -> Any:
    first = builder.insert_element(_UNDEFINED, number, ir.Constant(_PLACE, 0))
    return builder.shuffle_vector(first, _UNDEFINED, ir.Constant(ir.VectorType(_PLACE, LANES), [0] * LANES))


def _call(builder: Any, name: str, *values: Any) -> Any:
    """Return the result of one of LLVM's functions of numbers or vectors."""
    kind = values[0].type
    suffix = f"v{LANES}f32" if kind == _VECTOR else "f32"
    function_type = ir.FunctionType(kind, [kind] * len(values))
    return builder.call(cgutils.get_or_insert_function(builder.module, function_type, f"llvm.{name}.{suffix}"), values)


_PAIRS = ((_lanes, _lanes), (_lanes, types.float32), (types.float32, _lanes))
_define(operator.add, lambda builder, x, y: builder.fadd(x, y, flags=FLAGS), *_PAIRS)
_define(operator.sub, lambda builder, x, y: builder.fsub(x, y, flags=FLAGS), *_PAIRS)
_define(operator.mul, lambda builder, x, y: builder.fmul(x, y, flags=FLAGS), *_PAIRS)
_define(operator.truediv, lambda builder, x, y: builder.fdiv(x, y, flags=FLAGS), *_PAIRS)
_define(operator.neg, lambda builder, x: builder.fneg(x), (_lanes,))
_define(abs, lambda builder, x: _call(builder, "fabs", x), (_lanes,))


@intrinsic
def floor(typing: Any, x: Any) -> Any:
    """Return the greatest integers up to x."""
    return x(x), lambda context, builder, signature, arguments: _call(builder, "floor", *arguments)


@intrinsic
def power_of_two(typing: Any, k: Any) -> Any:
    """Return 2^k, for integers k from -126 to 127; any number for NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = arguments[0].type
        integer = _PLACE if kind == _NUMBER else ir.VectorType(_PLACE, LANES)

        def constant(of: ir.Type, value: float) -> Any:
            return ir.Constant(of, value if kind == _NUMBER else [value] * LANES)

        # Adding 1.5 * 2^23 leaves an integer in the low bits.
        bits = builder.bitcast(builder.fadd(arguments[0], constant(kind, 12582912.0)), integer)
        exponent = builder.sub(bits, constant(integer, 0x4B400000 - 127))
        return builder.bitcast(builder.shl(exponent, constant(integer, 23)), kind)

    return k(k), generate


@intrinsic(prefer_literal=True)
def choose(typing: Any, comparison: Any, x: Any, y: Any, first: Any, second: Any) -> Any:
    """Return `first` where a comparison such as "<" of x and y holds, else `second`; it never holds for NaN."""
    result = _lanes if _lanes in (x, y, first, second) else types.float32

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        left, right, *results = _alike(builder, arguments[1:])
        return builder.select(builder.fcmp_ordered(comparison.literal_value, left, right), *results)

    return result(comparison, x, y, first, second), generate


@intrinsic(prefer_literal=True)
def count(typing: Any, comparison: Any, x: _LanesType, y: Any) -> Any:
    """Return the number of lanes where a comparison such as "<" of x and y holds; it never holds for NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        holds = builder.fcmp_ordered(comparison.literal_value, *_alike(builder, arguments[1:]))
        return builder.zext(builder.ctpop(builder.bitcast(holds, ir.IntType(LANES))), ir.IntType(64))

    return types.int64(comparison, x, y), generate


@intrinsic
def load(typing: Any, array: types.Array, index: types.Integer) -> Any:
    """Return array[index : index + LANES] of a flat array as a vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_pointer(context, builder, signature, arguments, _VECTOR), align=4)

    return _lanes(array, types.intp), generate


@intrinsic
def store(typing: Any, array: types.Array, index: types.Integer, vectors: Any) -> Any:
    """Set entries of a flat array, from array[index] on, to a vector or a tuple of vectors."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first, values = _pointer(context, builder, signature, arguments, _VECTOR), arguments[2]
        for place, vector in enumerate([values] if values.type == _VECTOR else cgutils.unpack_tuple(builder, values)):
            builder.store(vector, builder.gep(first, [ir.Constant(_PLACE, place)]), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, vectors), generate


@intrinsic
def repeat(typing: Any, array: types.Array, index: types.Integer) -> Any:
    """Return a vector with array[index] of a flat array in every lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _spread(builder, builder.load(_pointer(context, builder, signature, arguments, _NUMBER)))

    return _lanes(array, types.intp), generate


@intrinsic
def zeros(typing: Any) -> Any:
    """Return a vector of zeros."""
    return _lanes(), lambda context, builder, signature, arguments: ir.Constant(_VECTOR, [0.0] * LANES)


@intrinsic
def multiply_add(typing: Any, first: _LanesType, second: _LanesType, total: _LanesType) -> Any:
    """Return first * second + total, rounded once."""
    return _lanes(first, second, total), lambda context, builder, signature, arguments: _call(
        builder, "fma", *arguments
    )


@intrinsic
def sum_of(typing: Any, vector: _LanesType) -> Any:
    """Return the sum of the lanes, added in pairs."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (folded,) = arguments
        for size in (8, 4, 2, 1):
            folded = _fold(builder, folded, folded, size)
        return builder.extract_element(folded, ir.Constant(_PLACE, 0))

    return types.float32(vector), generate


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

"""Linear algebra: equations, inverses, determinants, eigenvalues; names as in `numpy.linalg`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chainrule import nodes
from chainrule.errors import SettingError, ShapeError
from chainrule.graph.functions import elementwise as el
from chainrule.graph.functions import picking, products, reductions
from chainrule.graph.functions.shaping import broadcast_to, moveaxis, reshape, squeeze, swapaxes
from chainrule.graph.functions.values import Axis, Order, as_real, kept, value_of
from chainrule.graph.variable import Variable, apply, constant
from chainrule.lang.messages import Text, _
from chainrule.nodes.base import Value
from chainrule.nodes.linear_algebra import MatrixError

__all__ = [
    "cholesky", "det", "eigh", "eigvalsh", "inv", "multi_dot", "pinv", "slogdet", "solve", "vecdot",
]  # fmt: skip


class SlogdetResult(NamedTuple):
    """The result of `slogdet`: the sign of the determinant, and the logarithm of its size."""

    sign: Value
    logabsdet: Value


class EighResult(NamedTuple):
    """The result of `eigh`: the eigenvalues, ascending, and the eigenvectors, in columns."""

    eigenvalues: Value
    eigenvectors: Value


def _no_matrix(what: str, x: Value) -> Text:
    return _(
        "{what} takes matrices, of two axes or more; got shape {shape}.", what=what, shape=x.shape
    )


def _matrix(what: str, x: Value) -> Value:
    """x as real numbers; an error if it has less than two axes."""
    x = as_real(value_of(x))
    if x.ndim < 2:
        raise MatrixError(_no_matrix(what, x))
    return x


def solve(A: Value, b: Value) -> Value:
    """The x of A x = b: for a vector b (N,), for each column of a matrix (N, K), or for stacks.

    As in `numpy.linalg.solve`, b is a vector only where it has one axis. Stacks are broadcast as by
    `@`.

    Raises:
        MatrixError: A is not square, or singular. It is a `numpy.linalg.LinAlgError`, too.

    >>> import chainrule as cr
    >>> cr.solve([[2.0, 1.0], [1.0, 3.0]], [3.0, 5.0])
    array([0.8, 1.4])
    """
    A, b = _matrix("solve", A), as_real(value_of(b))
    if b.ndim == 1:
        return squeeze(solve(A, reshape(b, (-1, 1))), -1)
    if A.shape[-1] == A.shape[-2] and (b.ndim == 0 or b.shape[-2] != A.shape[-1]):
        raise ShapeError(
            _(
                "solve got A of shape {A} and b of shape {b}: b needs {length} elements, or rows."
                " A stack of vectors gets an axis for their one column: b[..., None].",
                A=A.shape,
                b=b.shape,
                length=A.shape[-1],
            )
        )
    dtype = np.result_type(A.dtype, b.dtype)
    A, b = (v if v.dtype == dtype else v.astype(dtype) for v in (A, b))
    stacks = _stacks("solve", A, b)
    if isinstance(A, Variable) or isinstance(b, Variable):
        A, b = constant(A), constant(b)
    return apply(
        nodes.Solve(),
        broadcast_to(A, stacks + A.shape[-2:]),
        broadcast_to(b, stacks + b.shape[-2:]),
    )


def _stacks(what: str, A: Value, b: Value) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(A.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ShapeError(
            _(
                "{what} got stacks of shapes {A} and {b}, whose axes in front of the last two cannot"
                " be repeated to one shape.",
                what=what,
                A=A.shape,
                b=b.shape,
            )
        ) from None


def inv(A: Value) -> Value:
    """A⁻¹, of a matrix or a stack of them. To solve equations, `solve` is faster and more exact.

    >>> import chainrule as cr
    >>> cr.inv([[2.0, 0.0], [0.0, 4.0]])
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    return apply(nodes.Inv(), _matrix("inv", A))


def det(A: Value) -> Value:
    """The determinant. A singular matrix has no gradient here, since it is computed from A⁻¹."""
    return apply(nodes.Det(), _matrix("det", A))


def slogdet(A: Value) -> SlogdetResult:
    """The sign of the determinant and the logarithm of its size, which does not overflow.

    >>> import chainrule as cr
    >>> sign, size = cr.slogdet([[0.0, 2.0], [3.0, 0.0]])
    >>> float(sign), round(float(size), 4)
    (-1.0, 1.7918)
    """
    return SlogdetResult(*apply(nodes.SlogDet(), _matrix("slogdet", A)))


def cholesky(A: Value, upper: bool = False) -> Value:
    """L, lower triangular, with L Lᵀ = A; with `upper` its transpose.

    Of a symmetric positive definite A only the lower triangle is read (with `upper` the upper one), and
    only that has a gradient: that of NumPy's own function, exactly.

    Raises:
        MatrixError: A is not positive definite. It is a `numpy.linalg.LinAlgError`, too.
    """
    A = _matrix("cholesky", A)
    if upper:
        return swapaxes(cholesky(swapaxes(A, -1, -2)), -1, -2)
    return apply(nodes.Cholesky(), A)


def eigh(A: Value, UPLO: str = "L") -> EighResult:
    """The eigenvalues of a symmetric A, ascending, and its eigenvectors, in columns.

    Only the lower triangle of A is read, or with `UPLO` "U" the upper one, and only that has a gradient.
    Eigenvectors of a repeated eigenvalue have none.
    """
    A = _matrix("eigh", A)
    if not isinstance(UPLO, str) or UPLO.upper() not in ("L", "U"):
        raise SettingError(
            _("eigh: UPLO={UPLO!r} must be 'L' or 'U', the triangle that is read.", UPLO=UPLO)
        )
    return EighResult(*apply(nodes.Eigh(UPLO.upper()), A))


def eigvalsh(A: Value, UPLO: str = "L") -> Value:
    """The eigenvalues of a symmetric A, ascending; see `eigh`."""
    return eigh(A, UPLO).eigenvalues


def pinv(A: Value, rcond: float | None = None) -> Value:
    """The pseudo-inverse of any matrix: pinv(A) @ b is the shortest x with A x nearest to b.

    Singular values below `rcond` (1e-15) times the largest count as 0.
    """
    A = _matrix("pinv", A)
    if rcond is None:
        rcond = 1e-15
    if np.ndim(rcond):
        raise SettingError(_("pinv: rcond must be one number for Variables, and not an array."))
    return apply(nodes.Pinv(float(rcond)), A)


def vecdot(x: Value, y: Value, axis: int = -1) -> Value:
    """Σ x y along an axis: products of vectors, pair by pair."""
    x, y = (moveaxis(value_of(v), axis, -1) for v in (x, y))
    if x.shape[-1] != y.shape[-1]:
        raise ShapeError(
            _(
                "vecdot takes vectors of one length along axis {axis}; got {x} and {y}.",
                axis=axis,
                x=x.shape[-1],
                y=y.shape[-1],
            )
        )
    sums = reductions.sum(el.multiply(x, y), -1)
    return sums.astype(np.result_type(x.dtype, y.dtype))  # integers keep their width


def multi_dot(arrays: Sequence[Value]) -> Value:
    """The product of several matrices, in the order that takes fewest multiplications.

    The first and the last may be vectors, a row and a column.
    """
    xs = [value_of(x) for x in arrays]
    if len(xs) < 2:
        raise ShapeError(_("multi_dot multiplies two arrays or more; got {given}.", given=len(xs)))
    for i, x in enumerate(xs):
        if x.ndim != 2 and not (x.ndim == 1 and i in (0, len(xs) - 1)):
            raise MatrixError(
                _(
                    "multi_dot takes matrices, the first and the last may be vectors; got shape {shape}"
                    " as number {place}.",
                    shape=x.shape,
                    place=i,
                )
            )
    lengths = [1 if xs[0].ndim == 1 else len(xs[0])]
    lengths += [x.shape[0] for x in xs[1:]]
    lengths += [1 if xs[-1].ndim == 1 else xs[-1].shape[-1]]
    split = _cheapest(lengths)

    def product(i: int, j: int) -> Value:
        if i == j:
            return xs[i]
        k = split[i, j]
        return products.matmul(product(i, k), product(k + 1, j))

    return product(0, len(xs) - 1)


def _cheapest(lengths: list[int]) -> dict[tuple[int, int], int]:
    """Where to cut each run of matrices i to j in two, by the lengths of their axes."""
    n = len(lengths) - 1
    cost: dict[tuple[int, int], float] = {(i, i): 0.0 for i in range(n)}
    split: dict[tuple[int, int], int] = {}
    for width in range(1, n):
        for i in range(n - width):
            j = i + width
            cost[i, j] = math.inf
            for k in range(i, j):
                last = lengths[i] * lengths[k + 1] * lengths[j + 1]
                total = cost[i, k] + cost[k + 1, j] + last
                if total < cost[i, j]:
                    cost[i, j], split[i, j] = total, k
    return split


# -- NumPy's names for the last two axes, and for vectors ------------------------------------------------


def matrix_transpose(x: Value) -> Value:
    """The last two axes exchanged."""
    return swapaxes(_two_axes("matrix_transpose", x), -1, -2)


def diagonal(x: Value, offset: int = 0) -> Value:
    """The diagonals of matrices."""
    return picking.diagonal(_two_axes("diagonal", x), offset, -2, -1)


def trace(x: Value, offset: int = 0, dtype: npt.DTypeLike | None = None) -> Value:
    """The sums of the diagonals of matrices."""
    diagonals = diagonal(x, offset)
    return reductions.sum(diagonals if dtype is None else diagonals.astype(dtype), -1)


def outer(x: Value, y: Value) -> Value:
    """Every element of a vector times every one of another."""
    x, y = value_of(x), value_of(y)
    if x.ndim != 1 or y.ndim != 1:
        raise ShapeError(
            _("linalg.outer takes two vectors; got shapes {x} and {y}.", x=x.shape, y=y.shape)
        )
    return products.outer(x, y)


def vector_norm(x: Value, axis: Axis = None, keepdims: bool = False, ord: Order = 2) -> Value:
    """(Σ |x|ᵖ)^(1/p) over the axes, or over all elements."""
    x = as_real(value_of(x))
    if ord == 2:
        return reductions.norm(x, axis, keepdims)
    flat, shape = reductions.gathered(x, axis, "vector_norm")
    norms = reductions.norm(flat, -1, False, ord)
    return reductions.spread(norms, shape, kept("vector_norm", keepdims))


def matrix_norm(x: Value, keepdims: bool = False, ord: Order = "fro") -> Value:
    """The size of the matrices in the last two axes."""
    return reductions.norm(_two_axes("matrix_norm", x), (-2, -1), keepdims, ord)


def _two_axes(what: str, x: Value) -> Value:
    x = value_of(x)
    if x.ndim < 2:
        raise ShapeError(_no_matrix(what, x))
    return x

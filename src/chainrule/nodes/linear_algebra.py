"""Solve, Inv, Det and the other nodes of linear algebra, computed by NumPy.

Matrices are the last two axes; the axes before them are stacks. Letters are those of the formulas:
Aᵀ is A with its last two axes exchanged, A⁻ᵀ the inverse of that.
"""

from __future__ import annotations

import numpy as np

from chainrule.errors import ChainruleError, ShapeError
from chainrule.lang.messages import Text, _
from chainrule.nodes.base import Node, Value, called

__all__ = ["Cholesky", "Det", "Eigh", "Inv", "Pinv", "SlogDet", "Solve"]

# -- NumPy's functions, with errors that say what to do -----------------------------------------------


@called(lambda A, B: np.zeros(B.shape, np.result_type(A, B)))
def solve(A: Value, B: Value) -> Value:
    """The X of A X = B, for matrices B.

    >>> solve(np.array([[2.0, 0.0], [0.0, 4.0]]), np.array([[1.0], [1.0]]))
    array([[0.5 ],
           [0.25]])
    """
    try:
        return np.linalg.solve(A, B)
    except np.linalg.LinAlgError:
        raise _singular("solve", A) from None


@called(np.zeros_like)
def inv(A: Value) -> Value:
    """A⁻¹.

    >>> inv(np.array([[2.0, 0.0], [0.0, 4.0]]))
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    try:
        return np.linalg.inv(A)
    except np.linalg.LinAlgError:
        what = _("inv (of which the gradients of det and slogdet are made)")
        raise _singular(what, A) from None


@called(lambda A: np.zeros(A.shape[:-2], A.dtype))
def det(A: Value) -> Value:
    """Det A."""
    return np.linalg.det(A)


@called(lambda A: (np.zeros(A.shape[:-2], A.dtype),) * 2)
def slogdet(A: Value) -> tuple[Value, Value]:
    """The sign of det A, and log |det A|, analytic in a complex A near a real one."""
    sign, size = map(np.asarray, np.linalg.slogdet(A))
    if sign.dtype.kind != "c":
        return sign, size
    real_sign = np.sign(sign.real).astype(A.dtype)
    return real_sign, size + np.log(sign * real_sign)


@called(np.zeros_like)
def cholesky(A: Value) -> Value:
    """The lower triangular L of L Lᵀ = A; only the lower triangle of A is read."""
    try:
        return np.linalg.cholesky(A)
    except np.linalg.LinAlgError:
        index, smallest = _least_definite(A)
        raise MatrixError(
            _(
                "cholesky: {matrix} is not positive definite: its smallest eigenvalue is {smallest:.3g}, and"
                " all must be above 0. Give a symmetric matrix such as B @ B.T; where rounding has taken the"
                " last of it, add a little: A + 1e-6 * numpy.eye({n}).",
                matrix=_which(index),
                smallest=smallest,
                n=A.shape[-1],
            )
        ) from None


@called(lambda A, UPLO="L": (np.zeros(A.shape[:-1], A.dtype), np.zeros_like(A)))
def eigh(A: Value, UPLO: str = "L") -> tuple[Value, Value]:
    """The eigenvalues of a symmetric A, ascending, and its eigenvectors, in columns.

    Only the lower triangle of A is read, or with "U" the upper one.
    """
    try:
        w, V = np.linalg.eigh(A, UPLO)  # type: ignore[call-overload]
    except np.linalg.LinAlgError:
        raise _not_finite("eigh", A) from None
    return w, V


@called(lambda A, rcond: np.zeros((*A.shape[:-2], A.shape[-1], A.shape[-2]), A.dtype))
def pinv(A: Value, rcond: float) -> Value:
    """A⁺; singular values below rcond times the largest count as 0."""
    try:
        return np.linalg.pinv(A, rcond)
    except np.linalg.LinAlgError:
        raise _not_finite("pinv", A) from None


def _which(index: tuple[int, ...]) -> Text:
    return _("the matrix at {place} of the stack", place=list(index)) if index else _("the matrix")


def _singular(what: str, A: Value) -> MatrixError:
    indices = np.argwhere(np.linalg.slogdet(A)[0] == 0)
    index = tuple(int(i) for i in indices[0]) if len(indices) else ()
    return MatrixError(
        _(
            "{function}: {matrix} is singular: its columns depend on each other, so it has no inverse. Look"
            " for rows or columns that are 0, or that repeat; or add a little to its diagonal,"
            " A + 1e-6 * numpy.eye({n}); or take the pseudo-inverse, numpy.linalg.pinv(A) @ b.",
            function=what,
            matrix=_which(index),
            n=A.shape[-1],
        )
    )


def _least_definite(A: Value) -> tuple[tuple[int, ...], float]:
    """The index of the matrix of a stack with the smallest eigenvalue, and that eigenvalue."""
    try:
        least = np.linalg.eigvalsh(A)[..., 0]
    except np.linalg.LinAlgError:
        return (), float("nan")
    index = np.unravel_index(np.argmin(least), least.shape)
    return tuple(int(i) for i in index), float(least[index])


def _not_finite(what: str, A: Value) -> MatrixError:
    bad = np.argwhere(~np.isfinite(A))
    index = tuple(int(i) for i in bad[0]) if len(bad) else None
    if index is None:
        reason = _("its numbers are too far apart")
    else:
        reason = _("A{place} is {value}", place=list(index), value=A[index])
    return MatrixError(
        _(
            "{function} found no result: {why}. Give a matrix of finite numbers.",
            function=what,
            why=reason,
        )
    )


# -- what the nodes share -------------------------------------------------------------------------------


def _square(what: str, A: Value) -> None:
    if A.ndim < 2 or A.shape[-1] != A.shape[-2]:
        raise MatrixError(
            _(
                "{function} takes square matrices, or stacks of them in the last two axes; got shape"
                " {shape}.",
                function=what,
                shape=A.shape,
            )
        )


def _transpose(A: Value) -> Value:
    """Aᵀ, of every matrix of a stack."""
    return np.swapaxes(A, -1, -2)


def _spread(y: Value) -> Value:
    """One number for each matrix, as matrices (1, 1)."""
    return np.expand_dims(np.expand_dims(y, -1), -1)


def _low(A: Value) -> Value:
    """The lower triangle, with half of the diagonal."""
    n = A.shape[-1]
    return A * (np.tri(n) - 0.5 * np.eye(n)).astype(A.dtype)


# -- nodes ----------------------------------------------------------------------------------------------


class MatrixError(ChainruleError, np.linalg.LinAlgError):
    """A matrix that linear algebra cannot take: singular, not square, not positive definite.

    It is defined here, and not in `errors`, because NumPy's error is its base.
    """


class Solve(Node):
    """The equations A X = B of a matrix A (N, N), solved for each column of B (N, K).

    The axes in front, those of stacks, must be the same in both.
    """

    symbol = "A⁻¹B"
    formula = "X = A⁻¹ @ B"
    why = _("A dX + dA X = dB of small changes")
    gradients = {"B": "A⁻ᵀ @ dX", "A": "-dB @ Xᵀ"}

    def forward(self, A: Value, B: Value) -> Value:
        _square("solve", A)
        if B.ndim != A.ndim or B.shape[:-1] != A.shape[:-1]:
            raise ShapeError(
                _(
                    "Solve takes A of shape (..., N, N) and B of shape (..., N, K), with the same axes in"
                    " front; got {A} and {B}. cr.solve also takes one vector, and repeats stacks.",
                    A=A.shape,
                    B=B.shape,
                )
            )
        return solve(A, B)

    def backward(self, dX: Value) -> tuple[Value, Value]:
        A, _ = self.inputs
        dB = solve(_transpose(A), dX)
        return -dB @ _transpose(self.out) if self.asks(0) else None, dB if self.asks(1) else None


class Inv(Node):
    """The inverse of a matrix (N, N): A Y = Y A = 1."""

    symbol = "A⁻¹"
    formula = "Y = A⁻¹"
    why = _("dY = -Y dA Y of small changes")
    gradients = {"A": "-Yᵀ @ dY @ Yᵀ"}

    def forward(self, A: Value) -> Value:
        _square("inv", A)
        return inv(A)

    def backward(self, dY: Value) -> Value:
        return -_transpose(self.out) @ dY @ _transpose(self.out)


class Det(Node):
    """The determinant of a matrix (N, N): the factor by which it scales volumes."""

    symbol = "det"
    formula = "y = det A"
    why = _("∂y/∂Aᵢⱼ is the cofactor, y (A⁻¹)ⱼᵢ where A has an inverse")
    gradients = {"A": "dy · y · A⁻ᵀ"}

    def forward(self, A: Value) -> Value:
        _square("det", A)
        return det(A)

    def backward(self, dy: Value) -> Value:
        (A,) = self.inputs
        return _spread(dy * self.out) * _transpose(inv(A))


class SlogDet(Node):
    """The sign of the determinant of a matrix (N, N), and the logarithm of its size.

    Determinants of large matrices overflow, and y does not. s is a constant where y is finite.
    """

    symbol = "log det"
    holomorphic = False
    formula = _("s, y = sign and logarithm of det A")
    why = _("∂y/∂Aᵢⱼ = (A⁻¹)ⱼᵢ and s does not move")
    gradients = {"A": "dy · A⁻ᵀ"}

    def forward(self, A: Value) -> tuple[Value, Value]:
        _square("slogdet", A)
        s, y = slogdet(A)
        return s, y

    def backward(self, ds: Value, dy: Value) -> Value:
        (A,) = self.inputs
        return None if dy is None else _spread(dy) * _transpose(inv(A))


class Cholesky(Node):
    """A root of a symmetric positive definite A (N, N): lower triangular, and L Lᵀ = A.

    As in NumPy, only the lower triangle of A is read, so that the upper one gets no gradient. The
    symmetric gradient that some books give is (dA + dAᵀ) / 2.
    """

    symbol = "chol"
    analytic = False
    holomorphic = False
    formula = _("L = the lower triangular C of C Cᵀ = A")
    why = _(
        "With P = low(Lᵀ dL), low(M) being the lower triangle of M with half of its diagonal, and P + Pᵀ"
        " in brackets"
    )
    gradients = {"A": "low(L⁻ᵀ @ (low(Lᵀ @ dL) + low(Lᵀ @ dL)ᵀ) @ L⁻¹)"}

    def forward(self, A: Value) -> Value:
        _square("cholesky", A)
        return cholesky(A)

    def backward(self, dL: Value) -> Value:
        L = self.out
        inner = _low(_transpose(L) @ dL)
        half = solve(_transpose(L), inner + _transpose(inner))
        return _low(_transpose(solve(_transpose(L), _transpose(half))))


class Eigh(Node):
    """The eigenvalues of a symmetric A (N, N), ascending, and its eigenvectors, in columns.

    As in NumPy, only the lower triangle of A is read, or with `UPLO` "U" the upper one. The sign of an
    eigenvector is arbitrary: compute only what does not depend on it. Eigenvectors of a repeated
    eigenvalue have no gradient (it is infinite or NaN); the eigenvalues have one.
    """

    symbol = "eigh"
    analytic = False
    holomorphic = False
    formula = _("w, V = eigenvalues and eigenvectors of A")
    why = _(
        "With Fᵢⱼ = 1/(wⱼ - wᵢ), 0 on the diagonal, and low(M) the triangle of M + Mᵀ that is read,"
        " its diagonal halved"
    )
    gradients = {"A": "low(V @ (diag(dw) + F · (Vᵀ @ dV)) @ Vᵀ)"}

    def __init__(self, UPLO: str = "L") -> None:
        self.UPLO = UPLO

    def forward(self, A: Value) -> tuple[Value, Value]:
        _square("eigh", A)
        w, V = eigh(A, self.UPLO)
        return w, V

    def backward(self, dw: Value, dV: Value) -> Value:
        w, V = self.outputs
        total = None
        if dw is not None:
            total = (V * np.expand_dims(dw, -2)) @ _transpose(V)
        if dV is not None:
            one = np.eye(w.shape[-1], dtype=w.dtype)
            inner = _transpose(V) @ dV
            gaps = np.expand_dims(w, -2) - np.expand_dims(w, -1) + one
            # A zero gradient stays zero, also where two eigenvalues are equal.
            share = np.where(inner == 0, 0, inner / gaps) * (1 - one)
            more = V @ share @ _transpose(V)
            total = more if total is None else total + more
        if total is None:
            return None
        dA = _low(total + _transpose(total))
        return dA if self.UPLO == "L" else _transpose(dA)


class Pinv(Node):
    """The pseudo-inverse of A (N, M): (M, N), where Y b is the shortest x with A x nearest to b.

    Singular values below `rcond` times the largest count as 0. The gradient holds where small changes
    of A do not change its rank, as for a matrix of full rank.
    """

    symbol = "A⁺"
    analytic = False
    holomorphic = False
    formula = "Y = A⁺"
    why = _("As Golub and Pereyra (1973) have it, with 1 the identity")
    gradients = {"A": "-Yᵀ @ dY @ Yᵀ + (1 - A @ Y) @ dYᵀ @ Y @ Yᵀ + Yᵀ @ Y @ dYᵀ @ (1 - Y @ A)"}

    def __init__(self, rcond: float = 1e-15) -> None:
        self.rcond = rcond

    def forward(self, A: Value) -> Value:
        return pinv(A, self.rcond)

    def backward(self, dY: Value) -> Value:
        (A,) = self.inputs
        Y = self.out
        left = np.eye(A.shape[-2], dtype=A.dtype) - A @ Y
        right = np.eye(A.shape[-1], dtype=A.dtype) - Y @ A
        around = (
            left @ _transpose(dY) @ (Y @ _transpose(Y))
            + (_transpose(Y) @ Y) @ _transpose(dY) @ right
        )
        return around - _transpose(Y) @ dY @ _transpose(Y)

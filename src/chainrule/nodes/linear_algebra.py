"""Solve, Inv, Det and their kin: what NumPy's linear algebra makes of square and other matrices.

Matrices are the last two axes; the axes before them are stacks. Letters are those of the formulas:
Aᵀ is A with its last two axes exchanged, A⁻ᵀ the inverse of that.
"""

from __future__ import annotations

import numpy as np

from chainrule.errors import ChainruleError, ShapeError
from chainrule.lang.messages import Text, _
from chainrule.nodes.base import Node, Value, called

__all__ = [
    "Cholesky",
    "Det",
    "Eigh",
    "Inv",
    "MatrixError",
    "Pinv",
    "SlogDet",
    "Solve",
    "cholesky",
    "det",
    "eigh",
    "inv",
    "pinv",
    "slogdet",
    "solve",
]

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
    near = np.sign(sign.real).astype(A.dtype)
    return near, size + np.log(sign * near)


@called(np.zeros_like)
def cholesky(A: Value) -> Value:
    """The lower triangular L of L Lᵀ = A; only the lower triangle of A is read."""
    try:
        return np.linalg.cholesky(A)
    except np.linalg.LinAlgError:
        place, smallest = _least_definite(A)
        raise MatrixError(
            _(
                "cholesky: {matrix} is not positive definite: its smallest eigenvalue is {smallest:.3g}, and"
                " all must be above 0. Give a symmetric matrix such as B @ B.T; where rounding has taken the"
                " last of it, add a little: A + 1e-6 * numpy.eye({n}).",
                matrix=_which(place),
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


def _which(place: tuple[int, ...]) -> Text:
    return _("the matrix at {place} of the stack", place=list(place)) if place else _("the matrix")


def _singular(what: str, A: Value) -> MatrixError:
    places = np.argwhere(np.linalg.slogdet(A)[0] == 0)
    place = tuple(int(i) for i in places[0]) if len(places) else ()
    return MatrixError(
        _(
            "{function}: {matrix} is singular: its columns depend on each other, so it has no inverse. Look"
            " for rows or columns that are 0, or that repeat; or add a little to its diagonal,"
            " A + 1e-6 * numpy.eye({n}); or take the pseudo-inverse, numpy.linalg.pinv(A) @ b.",
            function=what,
            matrix=_which(place),
            n=A.shape[-1],
        )
    )


def _least_definite(A: Value) -> tuple[tuple[int, ...], float]:
    """Which matrix of a stack has the smallest eigenvalue, and that."""
    try:
        least = np.linalg.eigvalsh(A)[..., 0]
    except np.linalg.LinAlgError:
        return (), float("nan")
    place = np.unravel_index(np.argmin(least), least.shape)
    return tuple(int(i) for i in place), float(least[place])


def _not_finite(what: str, A: Value) -> MatrixError:
    bad = np.argwhere(~np.isfinite(A))
    place = tuple(int(i) for i in bad[0]) if len(bad) else None
    if place is None:
        told = _("its numbers are too far apart")
    else:
        told = _("A{place} is {value}", place=list(place), value=A[place])
    return MatrixError(
        _(
            "{function} found no result: {why}. Give a matrix of finite numbers.",
            function=what,
            why=told,
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


def _turned(A: Value) -> Value:
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

    It is here and not among the other errors, since NumPy's is its base.
    """


class Solve(Node):
    """The equations A X = B of a matrix A (N, N), solved for each column of B (N, K).

    The axes in front, of stacks, must be the same in both.
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
        dB = solve(_turned(A), dX)
        return -dB @ _turned(self.out) if self.asks(0) else None, dB if self.asks(1) else None


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
        return -_turned(self.out) @ dY @ _turned(self.out)


class Det(Node):
    """The determinant of a matrix (N, N): by how much it makes volumes larger."""

    symbol = "det"
    formula = "y = det A"
    why = _("∂y/∂Aᵢⱼ is the cofactor, y (A⁻¹)ⱼᵢ where A has an inverse")
    gradients = {"A": "dy · y · A⁻ᵀ"}

    def forward(self, A: Value) -> Value:
        _square("det", A)
        return det(A)

    def backward(self, dy: Value) -> Value:
        (A,) = self.inputs
        return _spread(dy * self.out) * _turned(inv(A))


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
        return None if dy is None else _spread(dy) * _turned(inv(A))


class Cholesky(Node):
    """A root of a symmetric positive definite A (N, N): lower triangular, and L Lᵀ = A.

    Of A only the lower triangle is read, as NumPy does, so that the other one gets no gradient. A
    gradient that is symmetric, as some books have it, is (dA + dAᵀ) / 2.
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
        inner = _low(_turned(L) @ dL)
        half = solve(_turned(L), inner + _turned(inner))
        return _low(_turned(solve(_turned(L), _turned(half))))


class Eigh(Node):
    """The eigenvalues of a symmetric A (N, N), ascending, and its eigenvectors, in columns.

    Of A only the lower triangle is read, as NumPy does, or with `UPLO` "U" the upper one. An eigenvector
    may point either way: what is made of them has a meaning where that makes no difference. Two that
    belong to one eigenvalue have no gradient (it is infinite, or not a number); eigenvalues have.
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
        found = None
        if dw is not None:
            found = (V * np.expand_dims(dw, -2)) @ _turned(V)
        if dV is not None:
            one = np.eye(w.shape[-1], dtype=w.dtype)
            inner = _turned(V) @ dV
            gaps = np.expand_dims(w, -2) - np.expand_dims(w, -1) + one
            # A zero gradient stays zero, also where two eigenvalues are one.
            share = np.where(inner == 0, 0, inner / gaps) * (1 - one)
            more = V @ share @ _turned(V)
            found = more if found is None else found + more
        if found is None:
            return None
        dA = _low(found + _turned(found))
        return dA if self.UPLO == "L" else _turned(dA)


class Pinv(Node):
    """The pseudo-inverse of A (N, M): (M, N), where Y b is the least x with A x nearest to b.

    Singular values below `rcond` times the largest count as 0. The gradient holds where small changes
    make no new ones, as for a matrix of full rank.
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
        around = left @ _turned(dY) @ (Y @ _turned(Y)) + (_turned(Y) @ Y) @ _turned(dY) @ right
        return around - _turned(Y) @ dY @ _turned(Y)

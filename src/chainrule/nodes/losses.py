"""CrossEntropy, of probabilities; of scores Softmax-, SoftTarget-, SigmoidCrossEntropy: exact."""

from __future__ import annotations

import numpy as np

from chainrule.lang.messages import _
from chainrule.nodes.activations import Sigmoid, Softmax
from chainrule.nodes.base import Node, Value
from chainrule.nodes.indexing import chosen, replaced

__all__ = ["CrossEntropy", "SigmoidCrossEntropy", "SoftTargetCrossEntropy", "SoftmaxCrossEntropy"]


class CrossEntropy(Node):
    """The cross entropy of classes: probabilities y (N, C) and ids t (N,) to losses (N,).

    The chapter's equation 1.7, of whose sum a one-hot t leaves one term. A zero gradient stays
    zero, also where y = 0.
    """

    symbol = "CE"
    holomorphic = False
    formula = "l = -log(y[t])"
    why = _("∂l/∂y = -1/y at the class t")
    gradients = {"y": _("-dl / y at the class t, else 0")}

    def forward(self, y: Value, t: Value) -> Value:
        return -np.log(chosen(y, t))

    def backward(self, dl: Value) -> tuple[Value, None]:
        y, t = self.inputs
        y_t = chosen(y, t)
        return replaced(0 * y, t, np.where((dl == 0) & (y_t == 0), 0, -dl / y_t)), None

    def decompose(self, y: Value, t: Value) -> Value:
        """Pick, log, negate."""
        rows = np.indices(np.shape(t), sparse=True)
        return -np.log(y[(*rows, t)])


class SoftmaxCrossEntropy(Node):
    """The cross entropy of classes by scores: s (N, C) and ids t (N,) to losses (N,).

    Softmax and cross entropy in one node (chapter, figure 1-30), so that neither the loss of
    a confident, correct answer nor its gradient is lost to rounding: 1 - p is never computed from p.
    """

    symbol = "softmax+CE"
    holomorphic = False
    formula = "l = -log(softmax(s)[t])"
    how = _("computed as log Σ e^a - aₜ, the sum counted from 1: log1p")
    why = _("∂l/∂sₖ = pₖ, less 1 for the class t")
    gradients = {"s": "dl · (softmax(s) - one_hot(t))"}

    def parts(self) -> tuple[Value, Value, Value]:
        """Eᵃ with the class left out, its sum over the row, and a of the class; a = s - max s."""
        s, t = self.inputs
        a = s - np.max(s, axis=-1, keepdims=True)
        rest = replaced(np.exp(a), t, 0)
        return rest, np.sum(rest, axis=-1), chosen(a, t)

    def forward(self, s: Value, t: Value) -> Value:
        _, others, a_t = self.bound((s, t), ()).parts()
        return np.log1p(others + (np.exp(a_t) - 1)) - a_t

    def backward(self, dl: Value) -> tuple[Value, None]:
        rest, others, a_t = self.parts()
        scale = dl / (others + np.exp(a_t))
        # For the class itself p - 1 is -Σ p of the others, without cancellation.
        return replaced(rest, self.inputs[1], -others) * np.expand_dims(scale, -1), None

    def decompose(self, s: Value, t: Value) -> Value:
        """Softmax, then cross entropy: the chapter's two nodes."""
        return CrossEntropy().forward(Softmax().forward(s), t)


class SoftTargetCrossEntropy(Node):
    """The cross entropy of probabilities t (N, C) by scores s (N, C): losses (N,).

    Such targets come from a teacher network, annotators who disagree, mixed images. Where a row of t
    has a single 1, it is SoftmaxCrossEntropy of that class.
    """

    symbol = "softmax+CE"
    formula = "l = -Σ t · log(softmax(s))"
    how = _("computed as Σ t · (log Σ e^a - a), where no term is negative")
    why = _("∂l/∂s = softmax(s) Σ t - t and ∂l/∂t = -log softmax(s)")
    gradients = {"s": "dl · (softmax(s) · Σ t - t)", "t": "-dl · log(softmax(s))"}

    def parts(self) -> tuple[Value, Value, Value]:
        """a, the scores minus the largest of their row; e^a; and Σ e^a - 1, without cancellation."""
        s, _ = self.inputs
        a = s - np.max(s, axis=-1, keepdims=True)
        e = np.exp(a)
        largest = np.sum(np.where(a == 0, e, 0), axis=-1, keepdims=True)
        others = np.sum(np.where(a == 0, 0, e), axis=-1, keepdims=True)
        return a, e, others + (largest - 1)

    def forward(self, s: Value, t: Value) -> Value:
        a, _, more = self.bound((s, t), ()).parts()
        # A class of target 0 and probability 0 adds nothing: 0 · ∞ would be NaN.
        return np.sum(np.where(t == 0, 0, t * (np.log1p(more) - a)), axis=-1)

    def backward(self, dl: Value) -> tuple[Value, Value]:
        _, t = self.inputs
        a, e, more = self.parts()
        dl = np.expand_dims(dl, -1)
        ds = dl * (e / (1 + more) * np.sum(t, axis=-1, keepdims=True) - t)
        return ds, dl * (np.log1p(more) - a)

    def decompose(self, s: Value, t: Value) -> Value:
        """Softmax, log, times t, sum, negate."""
        return -np.sum(t * np.log(Softmax().forward(s)), axis=-1)


class SigmoidCrossEntropy(Node):
    """The cross entropy of two classes: scores s and targets t in [0, 1], of one shape."""

    symbol = "σ+CE"
    elementwise = True
    holomorphic = False
    formula = "l = -t · log(σ(s)) - (1 - t) · log(1 - σ(s))"
    how = _("computed as max(s, 0) - s t + log(1 + e^(-|s|))")
    why = _("∂l/∂s = σ(s) - t and ∂l/∂t = -s")
    gradients = {"s": "dl · (σ(s) - t)", "t": "-dl · s"}

    def forward(self, s: Value, t: Value) -> Value:
        return np.maximum(s, 0) - s * t + np.log1p(np.exp(np.minimum(s, -s)))

    def backward(self, dl: Value) -> tuple[Value, Value]:
        s, t = self.inputs
        # Written so that no exponential overflows, here and in further derivatives.
        small = 1 + np.exp(np.minimum(s, -s))
        yes, no = np.exp(np.minimum(s, 0)) / small, np.exp(np.minimum(-s, 0)) / small
        # σ(s) - t, without cancellation.
        return dl * ((1 - t) * yes - t * no), -dl * s

    def decompose(self, s: Value, t: Value) -> Value:
        """-t log σ(s) - (1-t) log σ(-s), since 1 - σ(s) = σ(-s)."""
        yes, no = Sigmoid().forward(s), Sigmoid().forward(-s)
        return -t * np.log(yes) - (1 - t) * np.log(no)

"""The formulas with words among chainrule's docstrings, which programs show as comments.

A program takes them from `formula`, `derivation`, `rows` and `rule` of its layers, nodes and
optimizer. Formulas of symbols only, such as "y = x W + b.", need no translation and are not listed.
"""

from __future__ import annotations

from chainrule.lang.messages import Text, _

__all__ = ["EXPLANATIONS"]

#: The messages by their English text.
EXPLANATIONS: dict[str, Text] = {
    str(message): message
    for message in (
        _("∂y/∂x = e⁻ˣ / (1 + e⁻ˣ)² = y (1 - y), so dx = dy · y · (1 - y)."),
        _("∂y/∂x = 1 - tanh² x, so dx = dy · (1 - y^2)."),
        _("∂y/∂x = 1 where x > 0, else 0, so dx = dy where x > 0, else 0."),
        _("y = x where x > 0, else slope · x."),
        _("∂y/∂x = 1 where x > 0, else the slope, so dx = dy where x > 0, else slope · dy."),
        _("y = x where x > 0, else alpha · (e^x - 1)."),
        _("∂y/∂x = 1 where x > 0, else alpha eˣ, so dx = dy where x > 0, else dy · alpha · e^x."),
        _("y = c · x where x > 0, else c · a · (e^x - 1)."),
        _("∂y/∂x = c where x > 0, else c a eˣ, so dx = dy · c where x > 0, else dy · c · a · e^x."),
        _("By the product rule, with σ(x) = 1 / (1 + e⁻ˣ)."),
        _("By the product rule, with u = log(1 + eˣ), whose slope is σ(x)."),
        _("By the product rule, with u = c (x + a x³) in the gate."),
        _("y = log(1 + e^x); computed as max(x, 0) + log(1 + e^(-|x|)), which cannot overflow."),
        _("∂y/∂x = eˣ / (1 + eˣ), the sigmoid of x, so dx = dy / (1 + e^-x)."),
        _("y = e^x / Σ e^x; shifted by the largest logit, so that no exponential overflows."),
        _("∂yⱼ/∂xₖ = yⱼ (δⱼₖ - yₖ), so dx = y · (dy - Σ dy · y)."),
        _("y = log Σ e^x; computed as m + log Σ e^(x - m) with m the largest logit."),
        _("∂y/∂xₖ = e^(xₖ) / Σⱼ e^(xⱼ), so dx = dy · softmax(x); 0 where every logit is -∞."),
        _("∂z/∂x = ∂z/∂y = 1, so dx = dz and dy = dz: the gradient passes on to both as it is."),
        _("∂z/∂x = 1 and ∂z/∂y = -1, so dx = dz and dy = -dz."),
        _("∂z/∂x = y and ∂z/∂y = x, so dx = dz · y and dy = dz · x: the inputs change places."),
        _("∂z/∂x = 1/y and ∂z/∂y = -x/y² = -z/y, so dx = dz / y and dy = -dx · z."),
        _("∂z/∂x = -1, so dx = -dz."),
        _("So dx = dz · y · x ** (y - 1) and dy = dz · z · log(x)."),
        _("z = |x|; written so that it also holds, by its real part, for a complex step."),
        _("∂z/∂x = 1 for x > 0, -1 for x < 0, so dx = dz · sign(x); at the kink, 0."),
        _("z = sign(x); in the dtype of x."),
        _("∂z/∂x = 0, so dx = 0."),
        _("A truth value does not move with its inputs: no gradient."),
        _("A truth value does not move with its input: no gradient."),
        _("z = x and y."),
        _("z = x or y."),
        _("z = not x."),
        _("z = x where condition, else y."),
        _("So dx = dz where condition, else 0 and dy = 0 where condition, else dz."),
        _("y = x held between low and high."),
        _("∂y/∂x = 1 inside, else 0, so dx = dy where low <= x <= high, else 0."),
        _(
            "So dx = dz where x > y, dz / 2 where x = y, else 0 and dy = dz where x < y, dz /"
            " 2 where x = y, else 0."
        ),
        _(
            "So dx = dz where x < y, dz / 2 where x = y, else 0 and dy = dz where x > y, dz /"
            " 2 where x = y, else 0."
        ),
        _("∂y/∂x = eˣ = y, so dx = dy · y."),
        _("∂y/∂x = 1/x, so dx = dy / x."),
        _("∂y/∂x = 1/(1 + x), so dx = dy / (1 + x)."),
        _("∂y/∂x = 1/(2√x) = 1/(2y), so dx = dy / (2 · y)."),
        _("∂y/∂x = y · log 2, so dx = dy · y · log(2)."),
        _("∂y/∂x = eˣ = y + 1, so dx = dy · (y + 1)."),
        _("∂y/∂x = 1/(x · log 2), so dx = dy / (x · log(2))."),
        _("∂y/∂x = 1/(x · log 10), so dx = dy / (x · log(10))."),
        _("∂y/∂x = 1/(3y²), so dx = dy / (3 · y²)."),
        _("∂y/∂x = 2/√π · e^(-x²), so dx = dy · 2/√π · e^(-x²)."),
        _("Each element picked has slope 1, so dx = zeros with dy added at [key]."),
        _("y = zeros with x added at [key]."),
        _("Each element was added once, so dx = dy[key]."),
        _("y = 1 in the column that t names, else 0."),
        _("An id has no derivative: no gradient."),
        _("A dX + dA X = dB of small changes, so dB = A⁻ᵀ @ dX and dA = -dB @ Xᵀ."),
        _("dY = -Y dA Y of small changes, so dA = -Yᵀ @ dY @ Yᵀ."),
        _("∂y/∂Aᵢⱼ is the cofactor, y (A⁻¹)ⱼᵢ where A has an inverse, so dA = dy · y · A⁻ᵀ."),
        _("s, y = sign and logarithm of det A."),
        _("∂y/∂Aᵢⱼ = (A⁻¹)ⱼᵢ and s does not move, so dA = dy · A⁻ᵀ."),
        _("L = the lower triangular C of C Cᵀ = A."),
        _(
            "With P = low(Lᵀ dL), low(M) being the lower triangle of M with half of its"
            " diagonal, so dA = low(L⁻ᵀ @ (low(Lᵀ @ dL) + low(Lᵀ @ dL)ᵀ) @ L⁻¹); what is in"
            " brackets is P + Pᵀ."
        ),
        _("w, V = eigenvalues and eigenvectors of A."),
        _(
            "With Fᵢⱼ = 1/(wⱼ - wᵢ), 0 on the diagonal, and low(M) the triangle of M + Mᵀ"
            " that is read, its diagonal halved, so dA = low(V @ (diag(dw) + F · (Vᵀ @ dV)) @"
            " Vᵀ)."
        ),
        _(
            "As Golub and Pereyra (1973) have it, with 1 the identity, so dA = -Yᵀ @ dY @ Yᵀ"
            " + (1 - A @ Y) @ dYᵀ @ Y @ Yᵀ + Yᵀ @ Y @ dYᵀ @ (1 - Y @ A)."
        ),
        _("∂l/∂y = -1/y at the class t, so dy = -dl / y at the class t, else 0."),
        _("l = -log(softmax(s)[t]); computed as log Σ e^a - aₜ, the sum counted from 1: log1p."),
        _("∂l/∂sₖ = pₖ, less 1 for the class t, so ds = dl · (softmax(s) - one_hot(t))."),
        _(
            "l = -Σ t · log(softmax(s)); computed as Σ t · (log Σ e^a - a), where no term is"
            " negative."
        ),
        _("∂l/∂s = softmax(s) Σ t - t and ∂l/∂t = -log softmax(s)."),
        _("∂l/∂s = σ(s) - t and ∂l/∂t = -s, so ds = dl · (σ(s) - t) and dt = -dl · s."),
        _("∂yⱼ/∂xᵢ = Wᵢⱼ, so dx = dy @ Wᵀ and dW = xᵀ @ dy: as the shapes demand."),
        _("y = Σ x over axis."),
        _("∂y/∂x = 1 for every summand, so dx = dy repeated."),
        _("y = Σ x / n over axis."),
        _("∂y/∂x = 1/n for every summand, so dx = dy / n repeated."),
        _("y = Π x over axis."),
        _("∂y/∂xᵢ = Π xⱼ over j ≠ i, so dx = dy times the product of the others."),
        _("y = Σ (x - mean)^2 / (n - ddof) over axis."),
        _("The mean's own share sums to 0, so dx = dy · 2 · (x - mean) / (n - ddof)."),
        _("y = √(Σ (x - mean)^2 / (n - ddof)) over axis."),
        _("It is √Var, so dx = dy · (x - mean) / ((n - ddof) · y); where y = 0, 0."),
        _("y = √(Σ x^2) over axis."),
        _("∂y/∂x = x / y, so dx = dy · x / y; where y = 0, 0."),
        _("y = max x over axis."),
        _("y = min x over axis."),
        _("So dx = dy for the one that was chosen, else 0; each of k equal ones gets dy / k."),
        _("y = Σ x up to each place along axis."),
        _("x is part of every later sum, so dx = Σ dy from its place on."),
        _("A step does not move with its input: no gradient."),
        _("Between the jumps the number of steps stays, so dx = dz and dy = -dz · ⌊x / y⌋."),
        _("ys = x; the same value on each of the k arrows."),
        _("Each copy has slope 1, so dx = Σ dys: the sum of what comes back."),
        _("Nothing flows back."),
        _("y = x repeated to shape."),
        _("Each copy has slope 1, so dx = Σ dy over the copies."),
        _("y = x as dtype; a complex number stays complex, so that a complex step passes."),
        _("∂y/∂x = 1, so dx = dy; in the dtype of x."),
        _("y = x reshaped to shape."),
        _("Every element keeps its value, so dx = dy reshaped back."),
        _("y = x transposed; its axes in the new order."),
        _("Every element keeps its value, so dx = dy transposed back."),
        _("y = xs joined along axis."),
        _("Each input gets back what it gave, so dx = its own part of dy."),
        _("y = xs side by side along axis."),
        _("Each input gets back what it gave, so dx = its own slice of dy."),
        _("∂y/∂x = cos x, so dx = dy · cos(x)."),
        _("∂y/∂x = -sin x, so dx = -dy · sin(x)."),
        _("∂y/∂x = 1 + y², so dx = dy · (1 + y²)."),
        _("∂y/∂x = 1/√(1 - x²), so dx = dy / √(1 - x²)."),
        _("∂y/∂x = -1/√(1 - x²), so dx = -dy / √(1 - x²)."),
        _("∂y/∂x = 1/(1 + x²), so dx = dy / (1 + x²)."),
        _(
            "∂z/∂x = y/(x² + y²) and ∂z/∂y = -x/(x² + y²), so dx = dz · y / (x² + y²) and dy"
            " = -dz · x / (x² + y²)."
        ),
        _("∂y/∂x = cosh x, so dx = dy · cosh(x)."),
        _("∂y/∂x = sinh x, so dx = dy · sinh(x)."),
        _("∂y/∂x = 1/√(x² + 1), so dx = dy / √(x² + 1)."),
        _("∂y/∂x = 1/√(x² - 1), so dx = dy / √(x² - 1)."),
        _("∂y/∂x = 1/(1 - x²), so dx = dy / (1 - x²)."),
        _("Random bits have no derivative: no gradient."),
        _("A counter has no derivative."),
        _("A truth value has no derivative."),
        _("y = x; of a complex number its real part, so that a complex step does not pass."),
        _("A buffer has no derivative."),
        _("The finalizer of SplitMix64 (Steele, Lea and Flood, 2014): 64 bits, well stirred."),
        _("A·(row, column) for every element of an array: rows from 1, in the upper 32 bits."),
        _("y = x where x > 0, slope · x elsewhere."),
        _("y = x where x > 0, alpha · (eˣ - 1) elsewhere."),
        _("y = c · x where x > 0, c · a · (eˣ - 1) elsewhere."),
        _("y = x times its sigmoid."),
        _("y = x times a smooth gate."),
        _("The loss lᵢ of every row."),
        _("lₙ = -log softmax(sₙ) at tₙ."),
        _("l = c (|d| - c/2) with c = min(|d|, delta)."),
        _("y = x / (1 - ratio) where the element is kept, else 0."),
        _("y = x, one row of numbers for each."),
        _("The layer as an expression of its input and its parameters."),
    )
}

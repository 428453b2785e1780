"""The chapter's figures, in its order: number, title and caption in both languages, and who draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chainrule.figures import (
    add,
    affine,
    branch,
    composition,
    derivative,
    descent,
    gradient,
    matmul,
    matrix_gradient,
    memory,
    multiply,
    networks,
    paths,
    playground,
    repeat_sum,
    shapes,
    sigmoid,
    softmax_loss,
)

__all__ = ["FIGURES", "Figure"]


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """One figure of the chapter: `number` is the chapter's, or "" where it has none."""

    number: str
    slug: str
    draw: Callable[[str], Any]
    title: dict[str, str]
    caption: dict[str, str]
    #: Whether it comes out the same every time; memory addresses do not.
    repeats: bool = True

    @property
    def name(self) -> str:
        """The name of its file, without an ending."""
        return f"{self.number}-{self.slug}" if self.number else self.slug

    @property
    def key(self) -> str:
        """What it is asked for by: the number, or else the name."""
        return self.number or self.slug

    def heading(self, lang: str) -> str:
        """The number and the title."""
        if not self.number:
            return self.title[lang]
        equation = self.number.startswith("eq-")
        kinds = {"en": ("Figure", "Equation"), "zh": ("图", "式")}[lang]
        number = self.number.removeprefix("eq-")
        return f"{kinds[equation]} {number}{'. ' if lang == 'en' else '　'}{self.title[lang]}"


def row(
    number: str, slug: str, draw: Callable[[str], Any], en: tuple[str, str], zh: tuple[str, str],
    *, repeats: bool = True,
) -> Figure:  # fmt: skip
    """A row of the table: (title, caption) in English and in Chinese."""
    titles, captions = zip(en, zh, strict=True)
    languages = ("en", "zh")
    return Figure(
        number, slug, draw, dict(zip(languages, titles, strict=True)),
        dict(zip(languages, captions, strict=True)), repeats,
    )  # fmt: skip


FIGURES: tuple[Figure, ...] = (
    row(
        "", "network-loss", networks.loss_in_two,
        ("A network and its loss",
         "One sample x goes through the layers; Softmax turns the scores s into probabilities y, and"
         " Cross Entropy Error compares them with the label t. Training makes L small."),
        ("网络及其损失",
         "一个样本 x 依次经过各层；Softmax 把得分 s 变成概率 y，Cross Entropy Error 再把它与标签 t 比较。"
         "训练就是让 L 变小。"),
    ),
    row(
        "", "network-softmax-with-loss", networks.loss_in_one,
        ("Softmax and the loss as one layer",
         "The same network, sample and label: the two last layers as one give the same L."),
        ("Softmax 与损失合为一层", "网络、样本和标签都不变：最后两层合成一层，得到同样的 L。"),
    ),
    row(
        "", "derivative", derivative.secants,
        ("The derivative as a slope",
         "The line through x and x + h turns into the tangent as h shrinks; its slope becomes dy/dx."),
        ("导数就是斜率", "过 x 与 x + h 两点的直线，在 h 缩小时转向切线，其斜率趋于 dy/dx。"),
    ),
    row(
        "", "square-tangents", derivative.tangents,
        ("Tangents of x²",
         "Each slope of the curve above is a point below, and the points lie on the line 2x."),
        ("x² 的切线", "上图曲线各处的斜率就是下图的点，这些点都在直线 2x 上。"),
    ),
    row(
        "", "gradient-field", gradient.gradient_field,
        ("The gradient of a function of two variables",
         "Moving along a direction d, f changes at the rate ∇f · d. No direction is steeper than"
         " that of the gradient, whose rate is its length |∇f|."),
        ("二元函数的梯度",
         "沿方向 d 移动时，f 的变化率是 ∇f · d。没有哪个方向比梯度方向更陡，其变化率就是梯度的长度。"),
    ),
    row(
        "", "matrix-gradient", matrix_gradient.matrix_gradient,
        ("The gradient of a matrix",
         "For every element of W there is one derivative, in the same place: ∂L/∂W has the shape of W."),
        ("矩阵的梯度", "W 的每个元素对应一个导数，位置相同：∂L/∂W 与 W 形状相同。"),
    ),
    row(
        "", "composition", composition.composition,
        ("A network is a composition of functions",
         "Affine and activation layers in turn; the derivative of the whole is the product of the"
         " slopes of the parts, which is the chain rule."),
        ("网络就是函数的复合", "仿射层与激活层交替；整体的导数是各部分斜率之积，这就是链式法则。"),
    ),
    row(
        "", "playground", playground.playground,
        ("A network at work",
         "Each square is the plane as one unit sees it: two coordinates, then lines, then shapes, in"
         " the end a ring told from its middle."),
        ("工作中的网络",
         "每个方块是一个单元眼中的平面：先是两个坐标，再是直线，再是形状，最后分出了圆环与中心。"),
    ),
    row(
        "", "add-graph", add.add_graph,
        ("A computational graph: z = x + y",
         "A node stands for an operation; values flow along the arrows, from left to right."),
        ("计算图：z = x + y", "节点表示运算，数值沿箭头从左向右流动。"),
    ),
    row(
        "", "add-within", add.around_add,
        ("The add node within a larger computation",
         "What x and y came from and what becomes of z does not matter to the node; in the end there"
         " is one number L."),
        ("处在更大计算之中的加法节点", "x、y 从何而来，z 去向何处，节点都不必知道；最终得到一个数 L。"),
    ),
    row(
        "", "add-within-backward", add.around_add_backward,
        ("The same, backward",
         "Thick blue arrows carry the derivatives of L against the flow, each written below its arrow."),
        ("同一个图的反向传播", "粗蓝箭头逆着数值的方向传递 L 的导数，导数写在箭头下方。"),
    ),
    row(
        "1-18", "add", add.add_node,
        ("The add node", "∂z/∂x and ∂z/∂y are 1, so the gradient is handed on as it is."),
        ("加法节点", "∂z/∂x 和 ∂z/∂y 都是 1，所以梯度原样传下去。"),
    ),
    row(
        "1-19", "multiply", multiply.multiply_node,
        ("The multiply node", "∂z/∂x = y and ∂z/∂y = x: each input gets the gradient times the other input."),
        ("乘法节点", "∂z/∂x = y，∂z/∂y = x：每个输入得到的是梯度乘以另一个输入。"),
    ),
    row(
        "1-20", "branch", branch.branch_node,
        ("The branch node", "One value goes two ways, unchanged; the gradients that come back are added."),
        ("分支节点", "同一个值原样流向两处；返回的梯度相加。"),
    ),
    row(
        "1-21", "repeat", repeat_sum.repeat_node,
        ("The Repeat node", "Forward, N copies of a row; backward, the sum of the N gradients."),
        ("Repeat 节点", "正向是把一行复制 N 份；反向是 N 个梯度之和。"),
    ),
    row(
        "1-22", "sum", repeat_sum.sum_node,
        ("The Sum node",
         "Forward, the sum of N rows; backward, N copies of the gradient: Repeat the other way round."),
        ("Sum 节点", "正向是 N 行之和；反向是把梯度复制 N 份：恰与 Repeat 相反。"),
    ),
    row(
        "1-23", "matmul", matmul.matmul_node,
        ("The MatMul node", "y = xW for one row, with the shapes above the arrows."),
        ("MatMul 节点", "单行数据的 y = xW，形状写在箭头上方。"),
    ),
    row(
        "eq-1.12", "all-paths", paths.all_paths,
        ("All paths from xᵢ to L",
         "xᵢ moves every yⱼ, and every yⱼ moves L: multiply along each path, add over all paths."),
        ("从 xᵢ 到 L 的所有路径", "xᵢ 影响每个 yⱼ，每个 yⱼ 又影响 L：沿路径相乘，再对所有路径求和。"),
    ),
    row(
        "eq-1.13", "inner-products", paths.inner_products,
        ("Row by row", "Since ∂yⱼ/∂xᵢ = Wᵢⱼ, each ∂L/∂xᵢ is the inner product of ∂L/∂y and row i of W."),
        ("逐行内积", "因为 ∂yⱼ/∂xᵢ = Wᵢⱼ，每个 ∂L/∂xᵢ 都是 ∂L/∂y 与 W 第 i 行的内积。"),
    ),
    row(
        "eq-1.14", "one-product", paths.one_product,
        ("All inner products at once",
         "The rows of W are the columns of Wᵀ, so one matrix product gives all of ∂L/∂x."),
        ("一次求出所有内积", "W 的行就是 Wᵀ 的列，所以一次矩阵乘积便得到整个 ∂L/∂x。"),
    ),
    row(
        "1-24", "shape-check", shapes.shape_check,
        ("Checking shapes", "The lengths that meet are equal, and what is left is the shape of x."),
        ("形状检查", "相遇的长度相等，剩下的正是 x 的形状。"),
    ),
    row(
        "1-25", "matmul-batch", matmul.batch_node,
        ("MatMul for a batch", "N rows at once; every gradient has the shape of its value."),
        ("批量的 MatMul", "一次处理 N 行；每个梯度与对应的值形状相同。"),
    ),
    row(
        "1-26", "backward-by-shapes", shapes.by_shapes,
        ("The backward pass, found from shapes",
         "Each gradient is a product of ∂L/∂y and the other input, in the one order that fits."),
        ("由形状推出反向传播", "每个梯度都是 ∂L/∂y 与另一个输入的乘积，只有一种顺序合得上。"),
    ),
    row(
        "1-27", "names-and-memory", memory.names_and_memory,
        ("Two names, or copied contents",
         "After a = b both names mean one array, and nothing was copied. a[...] = b writes the contents"
         " of b where a has always been, which is how grads keep their addresses. The addresses"
         " shown are real."),
        ("两个名字，还是复制内容",
         "a = b 让 a 成为 b 的数组的另一个名字；a[...] = b 把 b 的内容写进 a 原来的内存，"
         "grads 的地址因此不变。图中的地址都是真实的。"),
        repeats=False,
    ),
    row(
        "eq-1.15", "sigmoid-derivative", sigmoid.sigmoid_derivative,
        ("The derivative of the sigmoid",
         "Each line of the derivation is computed at three places and compared."),
        ("sigmoid 的导数", "推导的每一行都在三处实际计算并相互比较。"),
    ),
    row(
        "1-28", "sigmoid", sigmoid.sigmoid_node,
        ("The Sigmoid layer", "As one node, and taken apart: the gradient of x is the same."),
        ("Sigmoid 层", "作为一个节点，或拆成基本节点：x 的梯度都一样。"),
    ),
    row(
        "1-29", "affine", affine.affine_layer,
        ("The Affine layer",
         "A MatMul, and a bias that Repeat gives to every row; so ∂L/∂b is a sum over the rows."),
        ("Affine 层", "一个 MatMul，加上由 Repeat 分给每一行的偏置；因此 ∂L/∂b 是对各行求和。"),
    ),
    row(
        "1-30", "softmax-with-loss", softmax_loss.softmax_with_loss,
        ("Softmax with Loss",
         "Of all the exponentials and logarithms y − t is left: how far off the answer is."),
        ("Softmax with Loss", "指数与对数相互抵消，反传的只剩 y − t，也就是答案差了多少。"),
    ),
    row(
        "", "sgd", descent.sgd_step,
        ("A step of SGD", "The gradient points uphill; each step goes the other way, η times as far."),
        ("SGD 的一步", "梯度指向上坡；每一步朝相反方向走，长度是梯度的 η 倍。"),
    ),
)  # fmt: skip

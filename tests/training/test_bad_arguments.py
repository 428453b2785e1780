"""The catalogue of bad arrays (A1 to A20) and hyper-parameters (H1 to H14), refused with their place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import memory
from chainrule.datasets import Preprocessor, Table
from chainrule.errors import ChainruleError, DataError, DTypeError, SettingError, ShapeError
from chainrule.files import Model

X = np.random.default_rng(0).normal(size=(20, 3))
T = (X[:, 0] > 0).astype(int)
NAN = float("nan")


def net(outputs: int = 2, loss: Any = None) -> cr.Sequential:
    layers = cr.Affine.sized(3, 4), cr.ReLU(), cr.Affine.sized(4, outputs)
    return cr.Sequential(*layers, loss=loss or cr.SoftmaxWithLoss(), seed=0)


def fit(
    x: Any = X, t: Any = T, network: Any = None, optimizer: Any = None, **settings: Any
) -> bytes:
    """The bits of the first weights after an epoch."""
    network = network or net()
    trainer = cr.Trainer(network, optimizer or cr.SGD(0.1), engine="numpy")
    trainer.fit(x, t, **{"epochs": 1, "progress": None, **settings})
    bits: bytes = network.params[0].tobytes()
    return bits


def changed(place: tuple[int, ...], value: float) -> Any:
    x = X.copy()
    x[place] = value
    return x


def values(**settings: Any) -> bytes:
    return fit(t=X[:, :1], network=net(1, cr.MeanSquaredError()), **settings)


class Sparse:
    shape = (20, 3)

    def toarray(self) -> Any:
        return X


ARRAYS: list[tuple[str, Callable[[], object], type[ChainruleError], str]] = [
    ("A1", lambda: fit(changed((3, 1), NAN)), DataError, r"x\[3, 1\] is nan \(1 of 60 numbers"),
    ("A2", lambda: fit(changed((3, 1), -np.inf)), DataError, r"x\[3, 1\] is -inf"),
    ("A3", lambda: fit(t=np.where(T == 1, NAN, 0.5)[:, None], network=net(1, cr.MeanSquaredError())),
     DataError, r"t\[\d+, 0\] is nan"),
    ("A4", lambda: fit(t=T[:19]), DataError, "x has 20 rows and t has 19 rows"),
    ("A5 one axis", lambda: fit(X[:, 0]), ShapeError, r"got x of shape \(20,\)"),
    ("A5 three axes", lambda: fit(X[:, :, None]), ShapeError, r"got x of shape \(20, 3, 1\)"),
    ("A5 none", lambda: fit(np.float64(3)), DataError, r"got x of shape \(\)"),
    ("A6 no rows", lambda: fit(X[:0], T[:0]), DataError, r"needs at least one row; got x of shape \(0, 3\)"),
    ("A6 no columns", lambda: fit(X[:, :0]), ShapeError, r"takes 3 inputs a row .* got x of shape \(20, 0\)"),
    ("A7", lambda: fit(X[:1], T[:1], validation=0.5), DataError, "At least 2 rows are needed to hold some"),
    ("A8", lambda: Preprocessor.fit(Table({"a": [1, 2], "t": ["p", "p"]}), "t"), DataError,
     "there is one class only, 'p'"),
    ("A9 texts", lambda: fit(X.astype(str)), DTypeError, "got dtype <U32 .*It holds text, such as"),
    ("A9 dates", lambda: fit(X.astype("M8[s]")), DTypeError, "It holds dates or times: count them in days"),
    ("A9 complex", lambda: fit(X.astype(complex)), DTypeError, "real and imaginary parts as two columns"),
    ("A10", lambda: fit(np.ma.masked_array(X, X > 1)), DTypeError, r"mask would be lost. Fill it first"),
    ("A11", lambda: fit(Sparse()), DTypeError, r"got a sparse Sparse. Write x.toarray\(\)"),
    ("A12", lambda: fit([[1, 2, 3]] * 19 + [[1, 2]]), ShapeError, "row 0 has 3 entries and row 19 has 2"),
    ("A13 x", lambda: fit(None), DTypeError, r"needs an array of numbers; got dtype object \(None\)"),
    ("A13 t", lambda: fit(t=None), DTypeError, r"got dtype object \(None\)"),
    ("A13 a cell", lambda: fit([*X.tolist()[:19], [1, 2, None]]), DTypeError, "no value in row 19"),
    ("A15 below 0", lambda: fit(t=T - 1), DataError, r"class ids from 0 to 1, .*; t\[\d+\] is -1"),
    ("A15 beyond", lambda: fit(t=T * 5), DataError, r"t\[\d+\] is 5. Renumber the classes, or widen"),
    ("A15 texts", lambda: fit(t=np.array(["a", "b"])[T]), DTypeError, r"np.unique\(t, return_inverse=True\)"),
    ("A15 numbers", lambda: fit(t=X[:, 0]), DataError, r"whole numbers from 0 to 1; t\[0\] is 0.1257"),
    ("A15 None", lambda: fit(t=[*T.tolist()[:19], None]), DTypeError, "It has no value in row 19"),
    ("A15 mixed", lambda: fit(t=["a", *T.tolist()[1:]]), DTypeError, "got texts such as 'a'"),
    ("A16 fewer", lambda: net().predict(X[:, :2]), ShapeError, r"takes 3 inputs a row .* shape \(20, 2\)"),
    ("A16 names", lambda: prepared().predict({"b": [1.0], "c": [2.0]}), DataError, "absent: 'a'"),
    ("A20 length", lambda: fit(sample_weight=np.ones(3)), DataError, r"20 numbers from 0.* got shape \(3,\)"),
    ("A20 negative", lambda: fit(sample_weight=-np.ones(20)), DataError, "values from -1.0 to -1.0"),
    ("A20 NaN", lambda: fit(sample_weight=np.full(20, NAN)), DataError, "values from nan to nan"),
    ("A20 zero", lambda: fit(sample_weight=np.zeros(20)), DataError, "not all 0"),
]  # fmt: skip


def prepared() -> Model:
    table = Table({"a": X[:, 0], "b": X[:, 1], "t": np.array(["p", "q"])[T]})
    return Model(
        cr.Sequential(cr.Affine.sized(2, 2), loss=cr.SoftmaxWithLoss(), seed=0),
        Preprocessor.fit(table, "t"),
    )


@pytest.mark.parametrize(("name", "act", "error", "words"), ARRAYS, ids=[a[0] for a in ARRAYS])
def test_bad_arrays(
    name: str, act: Callable[[], object], error: type[ChainruleError], words: str
) -> None:
    with pytest.raises(error, match=words):
        act()


def test_a7_one_row_trains() -> None:
    network = net()
    fit(X[:1], T[:1], network)
    assert network.params[-1].any()


def test_a9_numbers_as_objects_and_truths_are_numbers() -> None:
    assert fit(X.astype(object)) == fit(X)
    assert fit(X > 0) == fit((X > 0).astype(float))


def test_a14_columns_and_one_hot_rows_are_told_apart() -> None:
    assert fit(t=T[:, None]) == fit(t=T)
    np.testing.assert_allclose(
        np.frombuffer(fit(t=np.eye(2)[T]), "f4"), np.frombuffer(fit(), "f4"), rtol=1e-5
    )
    flat = fit(t=X[:, 0], network=net(1, cr.MeanSquaredError()))
    assert flat == values()


def test_a16_columns_go_by_name() -> None:
    model = prepared()
    a, b = X[:, 0], X[:, 1]
    assert (
        model.predict({"b": b, "more": T, "a": a}).tolist()
        == model.predict({"a": a, "b": b}).tolist()
    )


def test_a17_and_h1_what_is_far_too_large_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    network = net()
    network.predict(X)
    trainer = cr.Trainer(network, cr.SGD(1e-20), engine="numpy")
    for _fit in range(2):
        trainer.fit(X * 1e7, T, epochs=1, progress="lines")
    said = capsys.readouterr().err
    assert (
        said.count("numbers so large keep a network from learning. Standardise them: (x - x.mean")
        == 1
    )
    cr.Trainer(net(), cr.SGD(1e9), engine="numpy").fit(
        X * 0, T, epochs=1, batch_size=20, progress="lines"
    )
    assert "lr=1e+09 is far beyond what trains; try 0.01, say." in capsys.readouterr().err
    cr.Trainer(net(), cr.SGD(0.1), engine="numpy").fit(X, T, epochs=1, progress="lines")
    assert "so large" not in capsys.readouterr().err


def test_a18_other_floats_are_cast_by_rule() -> None:
    single = X.astype(np.float32)
    assert fit(single.astype(np.longdouble)) == fit(single)
    half = X.astype(np.float16)
    assert fit(half) == fit(half.astype(np.float32))


def test_a19_memory_of_every_kind_is_accepted_and_never_written_to() -> None:
    wanted = fit()
    read_only = X.copy()
    read_only.flags.writeable = False
    strided = np.zeros((40, 6))[::2, ::2]
    strided[...] = X
    for x in (read_only, np.asfortranarray(X), strided, X[::-1, ::-1][::-1, ::-1], X.astype(">f8")):
        before = x.copy()
        assert fit(x) == wanted
        assert (x == before).all()


def bad(what: str, act: Callable[[Any], object], given: list[Any], words: str) -> list[Any]:
    return [pytest.param(act, value, words, id=f"{what} {value!r}") for value in given]


NUMBERS: list[Any] = [-1, 0, NAN, np.inf, "a", None, True]
WHOLE: list[Any] = [0, -1, 2.5, "a", None, True]
BELOW_ONE: list[Any] = [-0.1, 1, 1.5, NAN, "a", None]
SETTINGS = [
    *bad("H1", cr.SGD, NUMBERS, "lr=.* must be a finite number above 0, or a schedule"),
    *bad("H1 Adam", cr.Adam, NUMBERS, "lr=.* must be a finite number above 0"),
    *bad("H2", lambda v: fit(batch_size=v), WHOLE, "batch_size=.* must be a whole number from 1"),
    *bad("H3", lambda v: fit(epochs=v), WHOLE, "epochs=.* must be a whole number from 1"),
    *bad("H4", lambda v: cr.Affine.sized(3, v), [*WHOLE, (), [[3]]], "outputs=.* a whole number from 1"),
    *bad("H5 metric", lambda v: fit(validation=0.2, metrics=[v]), ["acuracy"], 'did you mean "accuracy"'),
    *bad("H5 engine", lambda v: cr.Trainer(net(), engine=v), ["compild"], 'did you mean "compiled"'),
    *bad("H5 optimizer", lambda v: cr.Trainer(net(), v), ["adam"], r"give for example cr.SGD\(lr=0.1\)"),
    *bad("H5 loss", lambda v: fit(network=cr.Sequential(cr.Affine.sized(3, 2), loss=v)), ["softmax"],
         r"is no loss: give for example cr.SoftmaxWithLoss\(\)"),
    *bad("H6", cr.Dropout, BELOW_ONE, "Dropout: ratio=.* must be a number from 0 to below 1"),
    *bad("H7 momentum", lambda v: cr.Momentum(0.1, momentum=v), BELOW_ONE, "momentum=.* from 0 to below 1"),
    *bad("H7 beta1", lambda v: cr.Adam(0.1, beta1=v), BELOW_ONE, "beta1=.* from 0 to below 1"),
    *bad("H7 beta2", lambda v: cr.Adam(0.1, beta2=v), BELOW_ONE, "beta2=.* from 0 to below 1"),
    *bad("H7 eps", lambda v: cr.Adam(0.1, eps=v), [0, -1, NAN, "a"], "eps=.* a finite number above 0"),
    *bad("H8", lambda v: cr.SGD(0.1, l2=v), [-1, NAN, np.inf, "a"], "l2=.* must be a finite number from 0"),
    *bad("H8 decay", lambda v: cr.AdamW(0.1, weight_decay=v), [-1, NAN], "weight_decay=.* number from 0"),
    *bad("H9", lambda v: cr.Trainer(net(), seed=v), [-1, "a", 1.5, True], "seed=.* give a whole number"),
    *bad("H10", lambda v: fit(validation=v), [0, 1, -1, NAN, "a"], "must be above 0 and below 1. Got"),
    *bad("H11", lambda v: cr.Adam(0.1, **{v: 0.9}), ["bet1"], 'no option bet1; did you mean "beta1"'),
    *bad("H12 labels", lambda v: fit(network=net(2, v)), [cr.MeanSquaredError()], "use SoftmaxWithLoss"),
    *bad("H12 three", lambda v: fit(t=np.arange(20) % 3, network=net(1, v)), [cr.SigmoidWithLoss()],
         "For several classes use SoftmaxWithLoss"),
    *bad("H12 sums", lambda v: fit(t=np.full((20, 2), v)), [0.7], r"row 0 is .*, which adds up to 1.4"),
    *bad("H13", lambda v: fit(early_stopping=v), [3], r"no rows are held out: give fit\("),
    *bad("H14", lambda v: cr.Sequential(cr.Affine.sized(3, 4), cr.Affine.sized(v, 2)), [5],
         r"layer 1 \(Affine\) takes 5 inputs, but layer 0 \(Affine\) gives 4 outputs"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "value", "words"), SETTINGS)
def test_bad_settings(act: Callable[[Any], object], value: Any, words: str) -> None:
    with pytest.raises((SettingError, DataError, ShapeError), match=words):
        act(value)


def test_h2_a_batch_of_more_rows_than_there_are_is_one_of_all() -> None:
    assert fit(batch_size=100) == fit(batch_size=20)


def test_h4_what_memory_cannot_hold_is_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for make in (cr.Affine.sized, cr.MatMul.sized, cr.Embedding.sized):
        with pytest.raises(SettingError, match=r"W of shape \(3, 100000000000\) takes 1,117.6 GiB"):
            make(3, 10**11)
    monkeypatch.setattr(memory, "physical_memory", lambda: 1 << 20)
    cr.Affine.sized(3, 10_000)  # small ones are made without asking


def test_h9_seeds_of_any_size_and_generators() -> None:
    for seed in (2**40, 2**70, np.random.default_rng(1), None):
        cr.Trainer(net(), seed=seed)


def test_h10_a_part_that_leaves_no_rows_leaves_one() -> None:
    for part in (1e-9, 0.999):
        fit(validation=part)


def test_h11_an_unknown_argument_is_named() -> None:
    with pytest.raises(TypeError, match="'epoch'"):
        fit(epoch=3)

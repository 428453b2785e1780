"""The model file: what goes in comes out, to the bit; what is no model is refused by its name."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.layers import table as layer_rows

import chainrule as cr
from chainrule.errors import DataError, FormatError, NonFiniteError, SettingError, ShapeError
from chainrule.files import Model, load_model, save_model
from chainrule.storage.container import pack, unpack

X = np.linspace(-1, 1, 20, dtype=np.float32).reshape(4, 5)
IDS = np.array([[0, 3], [1, 2]])


def small(**settings: Any) -> cr.Sequential:
    layers = cr.Affine.sized(5, 4, init="he"), cr.ReLU(), cr.Affine.sized(4, 3)
    return cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), **settings)


def same_bits(a: cr.Network, b: cr.Network) -> bool:
    mine = {n: p.data for n, p in a.named_parameters().items()} | a.named_buffers()
    theirs = {n: p.data for n, p in b.named_parameters().items()} | b.named_buffers()
    return list(mine) == list(theirs) and all(
        mine[n].dtype == theirs[n].dtype
        and mine[n].shape == theirs[n].shape
        and mine[n].tobytes() == theirs[n].tobytes()
        for n in mine
    )


def round_trip(network: cr.Network, folder: Path) -> Model:
    save_model(folder / "m.safetensors", network, overwrite=True)
    return load_model(folder / "m.safetensors")


@pytest.mark.parametrize("row", layer_rows.LAYERS, ids=lambda row: row.name)
def test_every_layer_comes_back(row: layer_rows.Row, tmp_path: Path) -> None:
    network = cr.Sequential(row.make(np.float32))
    if row.name == "Function of one's own":
        with pytest.raises(SettingError, match="cannot be kept"):
            save_model(tmp_path / "m", network)
        return
    x, _ = row.inputs(np.random.default_rng(0), row.shapes[-1], np.float32)
    back = round_trip(network, tmp_path).network
    assert same_bits(network, back)
    assert repr(back) == repr(network)
    assert np.array_equal(network.predict(x), back.predict(x))
    for mine, theirs in zip(network.layers, back.layers, strict=True):
        assert type(mine) is type(theirs)
        for name in mine.hyperparameters:
            assert np.array_equal(getattr(mine, name), getattr(theirs, name))


@pytest.mark.parametrize("row", layer_rows.LOSSES, ids=lambda row: row.name)
def test_every_loss_comes_back(row: layer_rows.Row, tmp_path: Path) -> None:
    network = cr.Sequential(cr.Affine.sized(5, 3), loss=row.make(np.float32))
    x, more = row.inputs(np.random.default_rng(0), row.shapes[-1], np.float32)
    back = round_trip(network, tmp_path).network
    assert network.loss.forward(x, *more) == back.loss.forward(x, *more)
    assert repr(back.loss) == repr(network.loss)


def test_training_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    x, t = cr.datasets.spiral()
    net = cr.Sequential(
        cr.Affine.sized(2, 8), cr.BatchNorm.sized(8), cr.ReLU(), cr.Dropout(0.2),
        cr.Affine.sized(8, 3), loss=cr.SoftmaxWithLoss(), seed=3,
    )  # fmt: skip
    cr.Trainer(net, cr.SGD(0.1)).fit(x, t, 2, progress=None)
    back = round_trip(net, tmp_path).network
    for network in (net, back):
        cr.Trainer(network, cr.SGD(0.1), seed=9).fit(x, t, 3, progress=None)
    assert same_bits(net, back)


def test_a_used_twice_layer_tied_weights_freezing_and_nesting(tmp_path: Path) -> None:
    W = np.arange(20, dtype=np.float64).reshape(5, 4) / 20
    encode, decode = cr.MatMul(W), cr.MatMul(W.T)
    act = cr.LeakyReLU(0.1)
    inner = cr.Sequential(cr.Affine.sized(5, 5, dtype=np.float64), act)
    net = cr.Sequential(encode, act, decode, inner, inner, loss=cr.MeanSquaredError())
    inner.layers[0].trainable = False
    back = round_trip(net, tmp_path).network
    assert same_bits(net, back)
    assert np.array_equal(net.predict(X), back.predict(X))
    assert [list(p.shape) for p in back.params] == [[5, 4]]
    assert back.summary() == net.summary()
    first, *_, last = (layer for layer in back.layers if isinstance(layer, cr.MatMul))
    assert np.shares_memory(first.W, last.W)


def test_two_layer_net_and_a_subclass_with_init_only(tmp_path: Path) -> None:
    class Mine(cr.Sequential):
        def __init__(self) -> None:
            super().__init__(cr.Affine.sized(5, 2))

    assert isinstance(round_trip(cr.TwoLayerNet(5, 3, 2), tmp_path).network, cr.TwoLayerNet)
    assert type(round_trip(Mine(), tmp_path).network) is cr.Sequential


def test_views_and_fortran_order_come_back_right(tmp_path: Path) -> None:
    whole = np.arange(120, dtype=np.float64).reshape(10, 12)
    for W in (
        whole[::2, ::4],
        np.asfortranarray(whole[:5, :3]),
        whole.T[:5, :3],
        whole[4::-1, 2::-1],
    ):
        assert np.array_equal(pack_and_back(W), W)
        net = cr.Sequential(cr.MatMul(W))
        assert np.array_equal(round_trip(net, tmp_path).network.predict(X), net.predict(X))


def pack_and_back(W: Any) -> Any:
    return unpack(pack({"W": W}, {}), "m").tensors["W"]


def test_the_bytes_are_the_same_each_time(tmp_path: Path) -> None:
    facts = {"b": [1, 2.5, None, "ü"], "a": {"deep": True}}
    files = []
    for i in range(3):
        save_model(tmp_path / f"{i}", small(seed=1), facts=facts)
        files.append((tmp_path / f"{i}").read_bytes())
    assert files[0] == files[1] == files[2]
    assert load_model(tmp_path / "0").facts == facts


def test_a_model_with_preparation_predicts_from_raw_tables_and_arrays(tmp_path: Path) -> None:
    table = cr.datasets.load("penguins")
    prepared = cr.datasets.Preprocessor.fit(table, "species")
    net = cr.Sequential(cr.Affine.sized(len(prepared.features), 3), loss=cr.SoftmaxWithLoss())
    save_model(tmp_path / "p", net, preparation=prepared)
    model = load_model(tmp_path / "p")
    assert model.preparation is not None
    assert model.preparation.to_json() == prepared.to_json()
    assert set(model.predict(table)) <= {"Adelie", "Chinstrap", "Gentoo"}
    assert model.predict_proba(table).shape == (344, 3)
    with pytest.raises(ShapeError, match="rows of 7 cells"):
        model.predict(X)

    table = cr.datasets.load("iris")
    prepared = cr.datasets.Preprocessor.fit(table, "petal_width_cm")
    net = cr.Sequential(cr.Affine.sized(len(prepared.features), 1), loss=cr.MeanSquaredError())
    save_model(tmp_path / "r", net, preparation=prepared)
    y = load_model(tmp_path / "r").predict(table)
    assert np.array_equal(
        y, prepared.inverse_transform(net.predict(prepared.transform(table)))[:, 0]
    )

    number_columns = table.drop("species")
    prepared = cr.datasets.Preprocessor.fit(number_columns, "petal_width_cm")
    net = cr.Sequential(cr.Affine.sized(3, 1), loss=cr.MeanSquaredError())
    save_model(tmp_path / "n", net, preparation=prepared)
    model = load_model(tmp_path / "n")
    raw = number_columns.matrix(prepared.columns)
    assert np.array_equal(model.predict(raw), model.predict(table))


# -- what cannot be kept ------------------------------------------------------------------------


def test_code_of_ones_own_cannot_be_kept(tmp_path: Path) -> None:
    class Skip(cr.Network):
        def __init__(self) -> None:
            super().__init__()
            self.first = cr.Affine.sized(5, 5)

        def predict(self, x: Any) -> Any:
            return x + self.first(x)

    class Own(cr.Sequential):
        def predict(self, x: Any) -> Any:
            return super().predict(x) * 2

    class Twice(cr.Layer):
        def formula(self, x: Any) -> Any:
            return x + x

    class ByHand:
        def __init__(self) -> None:
            self.params: list[Any] = []
            self.grads: list[Any] = []

        def forward(self, x: Any) -> Any:
            return x

        def backward(self, d: Any) -> Any:
            return d

    class OwnLoss(cr.MeanSquaredError):
        pass

    for network, words in [
        (Skip(), "Skip cannot be kept .* its own predict"),
        (Own(cr.ReLU()), "Own cannot be kept .* its own predict"),
        (cr.Sequential(Twice()), "layer 0, Twice, cannot be kept"),
        (cr.Sequential(cr.ReLU(), ByHand()), "layer 1, ByHand, cannot be kept"),
        (cr.Sequential(cr.ReLU(), loss=OwnLoss()), "the loss, OwnLoss, cannot be kept"),
    ]:
        with pytest.raises(SettingError, match=words) as caught:
            save_model(tmp_path / "m", network)
        assert "numpy.savez" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_other_things_that_cannot_be_kept(tmp_path: Path) -> None:
    net = small()
    net.params[0][1, 2] = np.nan
    with pytest.raises(NonFiniteError, match=r"0\.W\[1, 2\] is NaN or infinite"):
        save_model(tmp_path / "m", net)
    with pytest.raises(SettingError, match="float128"):
        save_model(tmp_path / "m", cr.Sequential(cr.MatMul(np.ones((5, 2), np.longdouble))))
    for facts in ({"x": np.nan}, {"x": object()}, {"x": float("inf")}):
        with pytest.raises(SettingError, match="facts must be"):
            save_model(tmp_path / "m", small(), facts=facts)
    with pytest.raises(SettingError, match="16 MiB"):
        save_model(tmp_path / "m", small(), facts={"x": "a" * (17 << 20)})
    with pytest.raises(SettingError, match=r"numpy\.savez"):
        save_model(tmp_path / "m", "network")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


# -- what is no model ---------------------------------------------------------------------------


def saved(tmp_path: Path) -> bytes:
    save_model(tmp_path / "good", small(), facts={"name": "a"})
    return (tmp_path / "good").read_bytes()


def refused(data: bytes, tmp_path: Path) -> str:
    (tmp_path / "bad").write_bytes(data)
    with pytest.raises(FormatError) as caught:
        load_model(tmp_path / "bad")
    message = str(caught.value)
    assert str(tmp_path / "bad") in message
    return message


def with_header(data: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The file with another header, and the checksum that goes with it."""
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    text = change(header)
    raw = text if isinstance(text, bytes) else json.dumps(header).encode()
    changed = struct.pack("<Q", len(raw)) + raw + data[8 + length :]
    digits = re.compile(rb'(?<="sha256\\":\\")[0-9a-f]{64}')
    digest = hashlib.sha256(digits.sub(b"0" * 64, changed)).hexdigest().encode()
    return digits.sub(digest, changed)


def with_description(tmp_path: Path, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """A file in order, checksum and all, with another description."""
    contents = unpack(saved(tmp_path), "good")
    description = json.loads(json.dumps(contents.description))
    change(description)
    (tmp_path / "good").unlink()
    return pack(contents.tensors, description)


def test_m3_truncated_at_every_byte(tmp_path: Path) -> None:
    data = saved(tmp_path)
    for size in range(len(data)):
        with pytest.raises(FormatError, match=r"empty|too few|cut short|not a chainrule model"):
            unpack(data[:size], "m")
    refused(data[: len(data) // 2], tmp_path)


def test_m12_one_flipped_bit_at_every_byte(tmp_path: Path) -> None:
    data = saved(tmp_path)
    for offset in range(len(data)):
        flipped = bytearray(data)
        flipped[offset] ^= 1 << (offset % 8)
        with pytest.raises(FormatError):
            unpack(bytes(flipped), "m")
    assert "checksum" in refused(data[:-1] + bytes([data[-1] ^ 1]), tmp_path)


def _torch_zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("archive/data.pkl", b"\x80\x02.")
    return made.getvalue()


def _keras_zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("config.json", "{}")
        file.writestr("model.weights.h5", b"")
    return made.getvalue()


def _npz() -> bytes:
    made = io.BytesIO()
    np.savez(made, x=np.ones(3))
    return made.getvalue()


FOREIGN: list[tuple[str, bytes, str]] = [
    ("M1 empty", b"", "empty"),
    ("M1 seven bytes", bytes(7), "too few"),
    ("M13 pickle", pickle.dumps({"W": [1.0]}, protocol=4), "a Python pickle"),
    ("M13 pickle 2", pickle.dumps({"W": [1.0]}, protocol=2), "a Python pickle"),
    ("M13 torch", _torch_zip(), "a PyTorch file"),
    ("M13 keras", _keras_zip(), "a Keras file"),
    ("M13 npz", _npz(), r"a NumPy archive"),
    ("M13 npy", b"\x93NUMPY\x01\x00", "a NumPy array"),
    ("M13 h5", b"\x89HDF\r\n\x1a\n" + bytes(30), "HDF5"),
    ("M13 broken zip", b"PK\x03\x04" + bytes(30), "a damaged zip file"),
    ("M13 onnx", b"\x08\x08\x12\x07pytorch\x1a\x05", "ONNX"),
    ("M13 tflite", b"\x1c\0\0\0TFL3" + bytes(9), "TensorFlow Lite"),
    ("M13 csv", b"a,b,c\n1,2,3\n", "plain text"),
    ("M13 json", b'{"layers": []}', "JSON"),
    ("M13 html", b"<!DOCTYPE html><html></html>", "a web page"),
    ("M13 lfs", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
    ("M13 gzip", b"\x1f\x8b" + bytes(20), "gzip"),
    ("M13 zeros", bytes(100), "not a chainrule model"),
    ("M2 header of 2**63", struct.pack("<Q", 2**63) + b"{}" + bytes(9), "not a chainrule model"),
    ("M2 header of 0", struct.pack("<Q", 0) + b"{}" + bytes(9), "not a chainrule model"),
    ("M2 header longer than the file", struct.pack("<Q", 500) + b"{}" + bytes(9), "cut short"),
    ("M5 no metadata", struct.pack("<Q", 2) + b"{}", "says nothing of the layers"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "words"), FOREIGN, ids=[f[0] for f in FOREIGN])
def test_foreign_files_are_named(name: str, data: bytes, words: str, tmp_path: Path) -> None:
    assert words in refused(data, tmp_path)


def _tensor(name: str, key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(header: dict[str, Any]) -> None:
        header[name][key] = value

    return change


HEADERS: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("M7 shape overflow", _tensor("0.W", "shape", [2**40, 2**40]), "does not fit"),
    ("M7 overflow of nothing", _tensor("0.W", "shape", [0, 2**62, 2**62]), "does not fit"),
    ("M7 negative", _tensor("0.W", "shape", [-5, 4]), "does not fit"),
    ("M7 float", _tensor("0.W", "shape", [5.0, 4]), "does not fit"),
    ("M7 bool", _tensor("0.W", "shape", [True, 4]), "does not fit"),
    ("M7 huge", _tensor("0.W", "shape", [10**30, 4]), "does not fit"),
    ("M7 rank", _tensor("0.W", "shape", [5, 4] + [1] * 70), "at most 8 axes"),
    ("M8 BF16", _tensor("0.W", "dtype", "BF16"), "does not fit"),
    ("M8 I32", _tensor("0.W", "dtype", "I32"), "of dtype I32"),
    ("M6 begin after end", _tensor("0.W", "data_offsets", [80, 0]), "does not fit"),
    ("M6 one offset", _tensor("0.W", "data_offsets", [80]), "does not fit"),
    ("M6 overlap", _tensor("2.W", "data_offsets", [8, 56]), "does not fit"),
    ("M5 no object", lambda h: h.update({"0.W": 3}), "does not fit"),
    ("M10 path", lambda h: h.update({"../x": h.pop("0.W")}), "'../x' belongs to no layer"),
    ("M10 NUL", lambda h: h.update({"a\0": h.pop("0.W")}), r"'a\x00' belongs to no layer"),
    ("M6 hole", lambda h: h.pop("0.W") and None, "does not fit"),
    ("M5 metadata more", lambda h: h["__metadata__"].update(x="y"), "one text"),
    ("M5 metadata less", lambda h: h["__metadata__"].clear(), "says nothing"),
    ("M5 metadata no text", lambda h: h["__metadata__"].update(chainrule=3), "one text"),
    ("M5 description no JSON", lambda h: h["__metadata__"].update(chainrule="{"), "no JSON"),
    ("M5 description a list", lambda h: h["__metadata__"].update(chainrule="[]"), "an object"),
    ("M5 description NaN", lambda h: h["__metadata__"].update(chainrule='{"a": NaN}'), "no number"),
    ("M12 no checksum", lambda h: h["__metadata__"].update(chainrule="{}"), "checksum is missing"),
    ("M5 a list", lambda h: b"[" + b" " * 20 + b"]", "not a chainrule model"),
    ("M5 broken", lambda h: b'{"a": 1' + b" " * 20, "no JSON"),
    ("M5 twice", lambda h: b'{"a": 1, "a": 2}' + b" " * 20, "occurs twice"),
    ("M5 deep", lambda h: b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
    ("M5 not UTF-8", lambda h: b'{"\xff": 1}' + b" " * 20, "no JSON"),
    ("M5 10,001 tensors", lambda h: h.update({f"t{i}": {} for i in range(10_001)}), "10000"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "words"), HEADERS, ids=[h[0] for h in HEADERS])
def test_bad_headers_are_refused(
    name: str, change: Callable[[dict[str, Any]], Any], words: str, tmp_path: Path
) -> None:
    message = refused(with_header(saved(tmp_path), change), tmp_path)
    assert any(word in message for word in words.split("|")), message


def test_m8_a_dtype_of_other_programs_is_named(tmp_path: Path) -> None:
    def half(header: dict[str, Any]) -> None:
        first, second = header["0.W"]["data_offsets"]
        header["0.W"].update(dtype="BF16", shape=[(second - first) // 2])

    message = refused(with_header(saved(tmp_path), half), tmp_path)
    assert "of dtype BF16" in message
    assert "F32, F64" in message


def test_m4_trailing_bytes_are_refused(tmp_path: Path) -> None:
    assert "has bytes after its end" in refused(saved(tmp_path) + b"x", tmp_path)


def _layer(i: int, change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    return lambda d: change(d["network"]["layers"][i])


DESCRIPTIONS: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("M12 newer", lambda d: d.update(version=2), "a newer chainrule (format 2"),
    ("M12 version text", lambda d: d.update(version="1"), "version '1'"),
    ("M12 version 0", lambda d: d.update(version=0), "version 0"),
    ("format", lambda d: d.update(format="x"), "not a chainrule model"),
    ("unknown entry", lambda d: d.update(code="import os"), "'code'"),
    ("entry missing", lambda d: d.pop("facts"), "must have"),
    ("facts", lambda d: d.update(facts=[]), "facts must be"),
    ("preparation", lambda d: d.update(preparation={}), "preparation is damaged"),
    ("network", lambda d: d.update(network=[]), "must be an object"),
    ("network kind", lambda d: d["network"].update(kind="Evil"), "'Evil'"),
    ("unknown layer", _layer(0, lambda layer: layer.update(kind="Afine")), 'mean "Affine"'),
    ("a loss as layer", _layer(1, lambda layer: layer.update(kind="Huber")), "'Huber'"),
    ("unknown key", _layer(0, lambda layer: layer.update(code="x")), "unknown: 'code'"),
    ("setting", _layer(1, lambda layer: layer.update(settings={"slope": 1})), "'slope'"),
    ("bad setting", _layer(1, lambda layer: layer.update(kind="LeakyReLU", settings={"slope": "x"})),
     "finite number"),
    ("huge setting", _layer(1, lambda layer: layer.update(
        kind="LeakyReLU", settings={"slope": 10**400})), "finite number"),
    ("no arrays", _layer(1, lambda layer: layer.update(
        kind="LayerNorm", settings={"eps": 0}, arrays={})), "missing: beta, gamma"),
    ("setting refused", _layer(1, lambda layer: layer.update(
        kind="Dropout", settings={"ratio": 2})), "1.clock is missing"),
    ("dropout", _layer(1, lambda layer: layer.update(
        kind="Dropout", settings={"ratio": 0.5, "mask_seed": -1})), "mask_seed"),
    ("seed", lambda d: d["network"].update(seed=-1), "seed must be"),
    ("layers", lambda d: d["network"].update(layers={}), "layers must be a list"),
    ("no layer", lambda d: d["network"].update(layers=[1]), "must be an object"),
    ("loss", lambda d: d["network"].update(loss={"kind": "os.system"}), "'os.system'"),
    ("M7 shape", _layer(0, lambda layer: layer["arrays"]["W"].update(shape=[5, -4])), "cannot be"),
    ("M8 dtype", _layer(0, lambda layer: layer["arrays"]["W"].update(dtype="object")), "dtype"),
    ("M9 other shape", _layer(0, lambda layer: layer["arrays"]["W"].update(shape=[4, 5])),
     "0.W is float32 (5, 4) and should be float32 (4, 5)"),
    ("tie to nowhere", _layer(0, lambda layer: layer.update(
        tied={"W": {"to": "9.W", "transposed": True}})), "'0.W' belongs to no layer"),
    ("frozen", _layer(0, lambda layer: layer.update(frozen=["x"])), "frozen"),
    ("again", lambda d: d["network"]["layers"].append({"again": "7"}), "not there"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "change", "words"), DESCRIPTIONS, ids=[d[0] for d in DESCRIPTIONS]
)
def test_bad_descriptions_are_refused(
    name: str, change: Callable[[dict[str, Any]], Any], words: str, tmp_path: Path
) -> None:
    assert words in refused(with_description(tmp_path, change), tmp_path)


def test_networks_in_networks_without_end_are_refused(tmp_path: Path) -> None:
    def deepen(description: dict[str, Any]) -> None:
        for _ in range(30):
            inner = description["network"]
            description["network"] = {**inner, "layers": [inner], "loss": None}

    assert "deep" in refused(with_description(tmp_path, deepen), tmp_path)


def test_m9_m10_all_arrays_that_do_not_fit_are_told_at_once(tmp_path: Path) -> None:
    contents = unpack(saved(tmp_path), "good")
    tensors = contents.tensors
    tensors["0.V"] = tensors.pop("0.W")
    tensors["2.W"] = tensors["2.W"].astype(np.float64)
    message = refused(pack(tensors, contents.description), tmp_path)
    assert "0.W is missing" in message
    assert "'0.V' belongs to no layer" in message
    assert "2.W is float64" in message


def test_m11_nan_in_the_weights_is_refused(tmp_path: Path) -> None:
    contents = unpack(saved(tmp_path), "good")
    for value in (np.nan, np.inf):
        tensors = contents.tensors
        tensors["2.b"][1] = value
        assert "NaN or infinity in 2.b" in refused(pack(tensors, contents.description), tmp_path)


def test_layers_that_do_not_chain_are_refused(tmp_path: Path) -> None:
    contents = unpack(saved(tmp_path), "good")
    tensors = contents.tensors
    tensors["2.W"] = np.ones((9, 3), np.float32)
    contents.description["network"]["layers"][2]["arrays"]["W"]["shape"] = [9, 3]
    assert "do not fit together" in refused(pack(tensors, contents.description), tmp_path)


def test_places_that_hold_no_model(tmp_path: Path) -> None:
    for place, words in [
        (tmp_path / "absent", "no such model file"),
        (tmp_path, "is a folder"),
        (Path("/dev/null"), "a device"),
    ]:
        with pytest.raises(DataError, match=words):
            load_model(place)
    with pytest.raises(DataError, match="no file name"):
        load_model("a\0b")


def test_files_of_ours_run_no_code() -> None:
    source = Path(cr.files.__file__).parent
    text = "".join(path.read_text() for path in source.glob("*.py"))
    for word in (
        "import pickle",
        "eval(",
        "exec(",
        "importlib",
        "setattr(",
        "__import__",
        "globals(",
    ):
        assert word not in text

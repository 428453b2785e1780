"""The model file: saving and loading a network with the preprocessing of its data."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.atomic_write import check_place, write_whole
from chainrule.errors import (
    DataError,
    FormatError,
    NonFiniteError,
    SettingError,
    ShapeError,
    guess,
    shown,
)
from chainrule.files.architecture import build, describe
from chainrule.files.architecture_checks import expected_arrays
from chainrule.files.baselines import DAMAGED, NAMES, arrays_of, baselines_in
from chainrule.graph.variable import Array
from chainrule.lang.messages import Text, _, listed, sentences
from chainrule.layers.losses import Loss
from chainrule.networks import Network
from chainrule.storage.container import Contents, pack, unpack
from chainrule.storage.reading import read_bytes

if TYPE_CHECKING:
    from chainrule.datasets import Preprocessor, Table
    from chainrule.training import Baselines

__all__ = ["Model", "load_model", "pack_model", "refuse_nonfinite", "save_model"]

Pathish = str | os.PathLike[str]

FORMAT, VERSION = "chainrule model", 1


@dataclass(frozen=True)
class Model:
    """The contents of a model file: the network, its preprocessor, and facts about its training.

    >>> import chainrule as cr, pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "spiral.safetensors")
    >>> save_model(file, cr.TwoLayerNet(2, 10, 3), facts={"epochs": 300})
    >>> model = load_model(file)
    >>> model.facts, model.predict([[0.1, 0.2]]).shape
    ({'epochs': 300}, (1,))
    """

    network: Network
    preparation: Preprocessor | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    #: The baselines of the same training rows, to compare with; None if they were not saved.
    baselines: Baselines | None = None

    @property
    def classifies(self) -> bool:
        """Whether it predicts classes rather than numbers."""
        if self.preparation is not None:
            return self.preparation.task == "classification"
        return isinstance(self.network.loss, Loss) and self.network.loss.target != "values"

    def predict(self, data: object) -> Array:
        """The label (n,) of every row, or in regression the value (n,) in the target's own unit.

        `data` is a table as read, a frame (pandas, polars, Arrow) or a dict of columns, whose columns
        are found by name; or an array whose columns are `preparation.columns`, in this order.
        Columns that the model does not use are ignored. A model without preparation takes an
        array of network inputs, and gives class ids.

        Raises:
            DataError: columns that the model uses are absent or unfit; the message names them.
            ShapeError: an array of another width.
        """
        if (parts := _parts_of(data)) is not None:
            return np.concatenate([self.predict(part) for part in parts])
        x = self._inputs(data)
        if self.preparation is None:
            return (
                self.network.classify(x) if self.classifies else np.asarray(self.network.predict(x))
            )
        if self.classifies:
            return self.preparation.labels(self.network.classify(x))
        y: Array = self.preparation.inverse_transform(self.network.predict(x))
        return y[:, 0]

    def predict_proba(self, data: object) -> Array:
        """The probability of every class, (n, classes), in the order of `preparation.classes`."""
        if (parts := _parts_of(data)) is not None:
            return np.concatenate([self.predict_proba(part) for part in parts])
        return self.network.predict_proba(self._inputs(data))

    def _inputs(self, data: object) -> Array:
        from chainrule.datasets import Table

        if isinstance(data, Table):
            if self.preparation is None:
                raise DataError(
                    _(
                        "This model was kept without a preparation, so it takes arrays and no tables."
                        " Give the array its network takes: table.matrix(names)."
                    )
                )
            return self.preparation.transform(data)
        if self.preparation is None:
            from chainrule.datasets.frames import frame_columns

            if frame_columns(data) is not None:
                raise DataError(
                    _(
                        "This model was kept without a preparation, so it takes arrays and no frames."
                        " Give the array its network takes, its columns in order: frame.to_numpy()."
                    )
                )
            return np.asarray(data)
        from chainrule.datasets.frames import frame_columns
        from chainrule.datasets.matching import table_of

        columns = self.preparation.columns
        frame = frame_columns(data)
        if frame is not None:
            known = {n: f for n, f in self.preparation.forms.items() if n in columns}
            return self.preparation.transform(table_of(frame, known))
        x = np.asarray(data)
        if x.ndim != 2 or x.shape[1] != len(columns):
            raise ShapeError(
                _(
                    "This model takes rows of {n} cells ({names}); got shape {shape}.",
                    n=len(columns),
                    names=listed(columns if len(columns) <= 5 else [*columns[:5], "…"]),
                    shape=x.shape,
                )
            )
        return self.preparation.transform(Table.from_matrix(x, names=columns, source="the array"))


def _parts_of(data: object) -> Iterator[Table] | None:
    """The blocks of a table that is larger than memory; None for other data."""
    from chainrule.datasets import Table

    return data.in_blocks() if isinstance(data, Table) and data.on_disk else None


def save_model(
    path: Pathish,
    network: Network,
    *,
    preparation: Preprocessor | None = None,
    facts: Mapping[str, object] | None = None,
    baselines: Baselines | None = None,
    overwrite: bool = False,
) -> None:
    """Save a Sequential of chainrule's layers in one safetensors file.

    The file is written whole or not at all; an existing one is replaced only with `overwrite`.
    The same network, preparation and facts give the same bytes. `facts` is a dict that JSON can
    hold. `chainrule evaluate` compares the network with `baselines`.

    Raises:
        SettingError: a path that cannot be written to, an existing file, a network with code of
            its own, or facts that are not JSON.
        NonFiniteError: NaN or infinity among the parameters.
        OSError: for instance, the disk is full; an old file is unchanged.

    >>> import chainrule as cr, pathlib, tempfile
    >>> net = cr.Sequential(cr.Affine.sized(4, 3), loss=cr.SoftmaxWithLoss())
    >>> save_model(pathlib.Path(tempfile.mkdtemp(), "iris.safetensors"), net)
    """
    check_place(path, overwrite)
    write_whole(path, pack_model(network, preparation, facts, baselines), overwrite=overwrite)


def pack_model(
    network: Network,
    preparation: Preprocessor | None = None,
    facts: Mapping[str, object] | None = None,
    baselines: Baselines | None = None,
) -> bytes:
    """The bytes of a model file; arguments and errors are those of `save_model`."""
    if not isinstance(network, Network):
        raise SettingError(
            _(
                "save_model keeps a chainrule network; got {given}. A network written by hand keeps its"
                " arrays with numpy.savez(path, *network.params).",
                given=shown(network),
            )
        )
    network_description = describe(network)
    tensors: dict[str, Array] = {n: p.data for n, p in network.named_parameters().items()}
    tensors.update(network.named_buffers())
    tensors.update(arrays_of(baselines, preparation))
    refuse_nonfinite(tensors)
    description = {
        "format": FORMAT,
        "version": VERSION,
        "network": network_description,
        "preparation": None if preparation is None else preparation.to_json(),
        "facts": _plain_facts(facts),
    }
    data = pack(tensors, description)
    reread = unpack(data, _("the model")).tensors
    if any(reread[name].tobytes() != array.tobytes() for name, array in tensors.items()):
        raise FormatError(_("The arrays did not come back as they were; nothing was saved."))
    return data


def refuse_nonfinite(tensors: Mapping[str, Array]) -> None:
    """Raise for NaN or infinity among the arrays of a network to be saved."""
    for name, array in tensors.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            index = ", ".join(map(str, np.argwhere(~np.isfinite(array))[0]))
            raise NonFiniteError(
                _(
                    "{name}[{place}] is NaN or infinite, so the network is of no use and was not saved."
                    " Train it again with a lower learning rate.",
                    name=name,
                    place=index,
                )
            )


def load_model(path: Pathish) -> Model:
    """Load the network, preparation and facts that `save_model` saved; no code in the file is run.

    Everything is checked before anything is built. Other files, such as a pickle, a PyTorch or a
    Keras file, are refused, with their kind in the message.

    Raises:
        DataError: no such file, or one that may not be read.
        FormatError: not a model file of chainrule's, damaged, or of a newer version.
    """
    where = os.fspath(path)
    contents = unpack(read_bytes(where), where)
    description = contents.description
    if description.get("format") != FORMAT:
        given = shown(description.get("format"))
        raise FormatError(
            _("{where}: this is {kind}, not a chainrule model.", where=where, kind=given)
        )
    version = description.get("version")
    if type(version) is int and version > VERSION:
        raise FormatError(
            _(
                "{where} was written by a newer chainrule (format {version}; this one reads {ours})."
                " Bring chainrule up to date: pip install --upgrade chainrule.",
                where=where,
                version=version,
                ours=VERSION,
            )
        )
    keys = ("format", "version", "network", "preparation", "facts")
    if version != VERSION or set(description) != set(keys):
        raise FormatError(
            _(
                "{where}: the description must have {keys}, and version {ours}; got {given}, version"
                " {version}.",
                where=where,
                keys=listed(keys),
                ours=VERSION,
                given=listed(map(shown, description)),
                version=shown(version),
            )
        )
    facts = description["facts"]
    if not isinstance(facts, dict):
        raise FormatError(
            _("{where}: facts must be an object; got {given}.", where=where, given=shown(facts))
        )
    tensors = _checked_arrays(contents, where)
    preparation = None
    if description["preparation"] is not None:
        from chainrule.datasets import Preprocessor

        try:
            preparation = Preprocessor.from_json(description["preparation"])
        except FormatError as error:
            raise FormatError(_("{where}: {what}", where=where, what=error.args[0])) from None
    baselines = baselines_in(tensors, preparation, where)
    network = build(description["network"], tensors, where)
    return Model(network, preparation, facts, baselines)


def _checked_arrays(contents: Contents, where: str) -> dict[str, Array]:
    """The arrays, after checking names, dtypes and shapes against the described network."""
    expected = expected_arrays(contents.description["network"], where)
    tensors, problems = contents.tensors, list[Text]()
    for name, (dtype, shape) in expected.items():
        array = tensors.get(name)
        if array is None:
            problems.append(_("{name} is missing", name=name))
        elif (array.dtype.name, array.shape) != (dtype, shape):
            actual, expected_text = f"{array.dtype} {array.shape}", f"{dtype} {shape}"
            problems.append(
                _(
                    "{name} is {found} and should be {due}",
                    name=name,
                    found=actual,
                    due=expected_text,
                )
            )
    for name in tensors:
        if name not in expected and name not in NAMES:
            hint = guess(name, expected)
            problems.append(
                _("{name} belongs to no layer ({hint})", name=shown(name), hint=hint)
                if hint
                else _("{name} belongs to no layer", name=shown(name))
            )
    if problems:
        if len(problems) > 20:
            problems[20:] = [_("and {n} more", n=len(problems) - 20)]
        what = _(
            "{where}: the arrays do not fit the layers: {problems}.",
            where=where,
            problems=listed(problems, "clauses"),
        )
        raise FormatError(sentences(what, DAMAGED))
    bad = [n for n, a in tensors.items() if a.dtype.kind == "f" and not np.isfinite(a).all()]
    if bad:
        raise FormatError(
            _(
                "{where}: NaN or infinity in {names}; such a network predicts nothing. Train again with"
                " a lower learning rate.",
                where=where,
                names=listed(bad[:10]),
            )
        )
    return tensors


def _plain_facts(facts: Mapping[str, object] | None) -> dict[str, Any]:
    try:
        text = json.dumps(dict(facts or {}), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise SettingError(
            _("facts must be texts, finite numbers, lists and dicts of them: {why}.", why=error)
        ) from None
    decoded: dict[str, Any] = json.loads(text)
    return decoded

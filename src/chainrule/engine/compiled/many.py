"""One compiled step for many networks of one structure: their own arrays, the same machine code."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.aligned import room
from chainrule.engine.compiled.constants import SPARE
from chainrule.engine.compiled.ids import check_ids
from chainrule.engine.compiled.machine import Kernel, kernel
from chainrule.engine.compiled.pieces import in_one_piece
from chainrule.engine.compiled.record import record_step
from chainrule.engine.compiled.shards import WRITTEN
from chainrule.engine.compiled.step import CompiledStep
from chainrule.engine.compiled.symbolic import NotCompilable
from chainrule.engine.compiled.threads import crew_words
from chainrule.engine.memory import debugging, spoil
from chainrule.engine.protocols import RecordableNetwork
from chainrule.lang.messages import _

__all__ = ["Given", "SharedStep", "Workplace", "address"]

Array = npt.NDArray[Any]
Named = Sequence[tuple[str, Array]]
#: The seed and the ratio of each Dropout.
Draws = Sequence[tuple[int, float]]
#: Numbers of a step by their places in its table.
Numbers = Mapping[int, Any]

#: The kernel that makes the steps of many networks in one call.
_SOURCE = '''"""The steps of many networks: each with a table of its own, one network after the other."""

from chainrule.engine.compiled.kernels import kernel
from chainrule.engine.compiler.memory import enter


@kernel
def train_many(train, words, done):
    """Call the kernel of a step's text with every table; gives the number of tables."""
    for i in range(words.shape[0]):
        done[i] = enter(train, words[i])
    return words.shape[0]
'''


def address(array: Array) -> int:
    """Where an array's numbers begin."""
    at: int = array.__array_interface__["data"][0]
    return at


@dataclass
class Given:
    """The words of a call for some data or for a network, and the arrays that they lead to."""

    words: Array
    arrays: tuple[Any, ...]


class SharedStep:
    """The compiled step of a network, for others of the same structure and optimizers of one kind.

    `own` are the arrays of the network that it was recorded with: whatever differs between networks,
    in an order that is the same for all. `draws` are numbers in the step that are its own, too: the
    seed and the ratio of each Dropout.
    """

    def __init__(self, step: CompiledStep, own: Sequence[Array], draws: Draws) -> None:
        self.step, self.draws = step, list(draws)
        call = step.call
        self.kernel, self._words = call.kernel, call.words.copy()
        self.places = {name: place for name, place, _ in reversed([*call.arrays()])}
        by_role = {id(step.array(a.name)): a for a in step.text.arguments if a.role != "data"}
        starts = [address(a) for a in own]
        in_workplace, in_own = [], []
        self._data: list[int] = []
        for name, place, array in call.arrays():
            a = by_role.get(id(array))
            role = name if a is None else a.role
            if role == "data":
                self._data.append(place)
            elif role in ("crew", "checks", "written", *WRITTEN):
                in_workplace.append((place, "" if a is None else a.name, name))
            elif (name.startswith("run") or role in _OWN) and array.size:
                in_own.append((place, *_inside(address(array), own, starts)))
        self._own = np.array(in_own, np.int64).reshape(-1, 3).T
        self._workplace = in_workplace
        self._leaves = [a for a in step.text.arguments if a.role == "data"]
        step.release()

    def for_data(self, data: Sequence[tuple[str, Array]], n: int) -> Given:
        """The words for data of the same kind, of which n rows are trained on.

        Raises:
            NotCompilable: the step cannot take them.
        """
        step, by_name = self.step, dict(data)
        check_ids(step.step, by_name)
        last = n % step.batch or step.batch
        numbers = step.step.numbers.tables([step.batch, last])
        arrays = [in_one_piece(by_name[a.payload.name], "data") for a in self._leaves]
        words = self._words.copy()
        for place, array in zip(self._data, arrays, strict=True):
            put(words, place, array)
        put(words, self.places["numbers"], numbers[0])
        put(words, self.places["words"], numbers[1])
        return Given(words, (*arrays, *numbers))

    def numbers_of(self, network: RecordableNetwork, data: Named, draws: Draws) -> Numbers | None:
        """The numbers that are others in a network's step, by their places; None if its step is another.

        Seeds are found by their value, which nothing else has; where ratios differ, recording tells.
        """
        table = self.step.step.numbers
        if [ratio for _, ratio in draws] != [ratio for _, ratio in self.draws]:
            return table.others(record_step(network, data)[0])
        new = dict(zip((seed for seed, _ in self.draws), (seed for seed, _ in draws), strict=True))
        first = enumerate(table.at(self.step.batch))
        return {j: new[n] for j, n in first if isinstance(n, int) and n in new}

    def for_network(self, data: Given, own: Sequence[Array], others: Numbers) -> Given:
        """The words for a network with its own arrays and numbers, on some data."""
        words, kept = data.words.copy(), (data.arrays, *own)
        if self._own.size:
            places, which, offsets = self._own
            words[places] = np.array([address(a) for a in own], np.int64)[which] + offsets
        if others:
            numbers, whole = (a.copy() for a in data.arrays[-2:])
            for place, number in others.items():
                numbers[:, place] = number
                whole[:, place] = number % 2**64 if isinstance(number, int) else 0
            put(words, self.places["numbers"], numbers)
            put(words, self.places["words"], whole)
            kept = (*kept, numbers, whole)
        return Given(words, kept)


#: The roles of arrays that every network has for itself.
_OWN = ("bound", "gradient", "buffer")


def put(words: Array, place: int, array: Array) -> None:
    """Write an array's address and lengths into a table, from a place on."""
    words[place] = address(array)
    words[place + 1 : place + 1 + array.ndim] = array.shape


def _inside(at: int, own: Sequence[Array], starts: Sequence[int]) -> tuple[int, int]:
    """Which of the arrays an address lies in, and how far from its beginning."""
    for i, (array, start) in enumerate(zip(own, starts, strict=True)):
        if start <= at < start + array.nbytes:
            return i, at - start
    raise NotCompilable(_("it has arrays that it shares with another network"))


@functools.cache
def _train_many() -> Kernel:
    """The kernel that calls others."""
    return kernel(_SOURCE, "train_many", _nothing(0), None)


def _nothing(train: int) -> dict[str, Any]:
    return {"train": train, "words": np.zeros((1, 1), np.int64), "done": np.zeros(1, np.int64)}


class Workplace:
    """What one thread needs to make the steps of any network that shares a step."""

    def __init__(self, shared: SharedStep) -> None:
        step = shared.step
        arrays = {
            name: room(array.shape, array.dtype)
            for _place, name, _ in shared._workplace
            if name
            for array in [step.array(name)]
        }
        others = {"crew": crew_words(SPARE), "checks": np.zeros((2, 1, 16))}
        self._arrays = [*arrays.values(), *others.values()]
        self._spoilt = [arrays[a.name] for a in step.text.arguments if a.role in WRITTEN]
        self._places = np.array([place for place, _, _ in shared._workplace], np.int64)
        self._addresses = np.array(
            [
                address(arrays[name] if name else others[argument])
                for _place, name, argument in shared._workplace
            ],
            np.int64,
        )
        self._call = _train_many().call(_nothing(shared.kernel.address))

    def run(self, words: Array) -> Array:
        """Make the steps of every network, a row of words for each; gives how many went well."""
        if debugging():
            spoil(*self._spoilt)
        words[:, self._places] = self._addresses
        done = np.zeros(len(words), np.int64)
        self._call.change(words=words, done=done)
        self._call()
        return done

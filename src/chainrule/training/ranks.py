"""What the ranks of a training agree on: when it ends, and its parameters."""

from __future__ import annotations

import json
import os
import platform
import signal
from collections.abc import Callable

import numpy as np

from chainrule.distributed.communicator import told_by_all
from chainrule.errors import ChainruleError, RanksDifferError
from chainrule.lang.languages import chosen
from chainrule.lang.messages import Text, _, in_language, listed
from chainrule.training.captured import capture
from chainrule.training.digests import digest
from chainrule.training.state import Training

__all__ = ["Ranks", "threads_of_rank"]


class Ranks:
    """The ranks of one training. Each method is called by all of them at the same place.

    Of one rank, everything here costs nothing: it agrees with itself.
    """

    def __init__(self, training: Training) -> None:
        self.training, self.communicator = training, training.communicator

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.communicator.size > 1

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which shows progress and writes files."""
        return self.communicator.rank == 0

    def on_this_machine(self) -> int:
        """How many of the ranks, this one among them, have the machine, or container, of this one."""
        if not self.several:
            return 1
        return told_by_all(self.communicator, platform.node()).count(platform.node())

    def compare_parameters(self, epoch: int) -> None:
        """Raise on every rank unless all have the same parameters after an epoch.

        Raises:
            RanksDifferError: they have not; the message names the ranks.
        """
        if not self.several:
            return
        state = capture(self.training)
        everyone = told_by_all(self.communicator, digest(state["parameters"], state.get("buffers")))
        others = [str(rank) for rank, each in enumerate(everyone) if each != everyone[0]]
        if others:
            raise RanksDifferError(
                _(
                    "after epoch {epoch} the parameters of rank {ranks} are not those of rank 0: their"
                    " bits differ. Ranks need processors and libraries of one kind, and callbacks that do"
                    " the same on each.",
                    epoch=epoch,
                    ranks=listed(others, "all"),
                )
            )

    def any(self, wish: bool) -> bool:
        """Whether any rank has this wish."""
        if not self.several:
            return wish
        count = np.array([int(wish)])
        self.communicator.all_reduce(count)
        return bool(count[0])

    def of_first(self, number: int) -> int:
        """The number that rank 0 has."""
        if not self.several:
            return number
        told = np.array([number])
        self.communicator.broadcast(told)
        return int(told[0])

    def agree_to_stop(self, received: signal.Signals | None) -> signal.Signals | None:
        """Give all ranks the reason to stop that one of them has; gives the signal that is to end them."""
        training = self.training
        if not self.several:
            return received
        mine = [
            None if training.stop_reason is None else str(training.stop_reason),
            training.interrupted,
            None if received is None else received.name,
        ]
        everyone = [json.loads(each) for each in told_by_all(self.communicator, json.dumps(mine))]
        reasons = [each[0] for each in everyone]
        rank = next(i for i, why in enumerate(reasons) if why is not None)
        if any(why != reasons[rank] for why in reasons):  # not all had it by themselves
            why = _("interrupted by Ctrl-C") if everyone[rank][1] else reasons[rank]
            training.stop(_("{why} on rank {rank}", why=why, rank=rank))
        training.interrupted = any(each[1] for each in everyone)
        names = [each[2] for each in everyone if each[2] is not None]
        return signal.Signals[names[0]] if names else None

    def alike(self, value: object) -> bool:
        """Whether all ranks have this value: one short message."""
        table = np.zeros(self.communicator.size, np.int64)
        table[self.communicator.rank] = int(digest(value)[:15], 16)
        self.communicator.all_reduce(table)
        return bool((table == table[0]).all())

    def refuse_other_steps(self) -> None:
        """Raise, on every rank, unless callbacks have left all with the same engine, and the same to train.

        Raises:
            RanksDifferError: they have not; the message names ranks and differences.
        """
        if not self.several:
            return
        training = self.training
        trained = [
            f"{name} {parameter.shape}"
            for name, parameter in training.model.named_parameters().items()
            if parameter.trainable
        ]
        engine = _said_engine(training)
        if self.alike([engine, trained]):
            return
        everyone = [
            json.loads(each)
            for each in told_by_all(self.communicator, json.dumps([engine, trained]))
        ]
        problems: list[Text] = []
        for rank, (used, names) in enumerate(everyone):
            first, all_names = everyone[0]
            if used != first:
                problems.append(
                    _(
                        "rank {rank} goes on with {engine}, rank 0 with {first}",
                        rank=rank,
                        engine=used,
                        first=first,
                    )
                )
            if names != all_names:
                only = sorted({*names} ^ {*all_names})
                problems.append(
                    _(
                        "rank {rank} and rank 0 differ in whether {names} is trained",
                        rank=rank,
                        names=listed(only),
                    )
                )
        raise RanksDifferError(
            _(
                "in epoch {epoch} a callback has changed the training, and not on every rank alike:"
                " {problems}. Callbacks have to do the same on each.",
                epoch=training.current_epoch + 1,
                problems=listed(problems, "clauses"),
            )
        )

    def by_first(self, action: Callable[[], None]) -> None:
        """Let rank 0 do something; if it cannot, all raise its error."""
        self.together(action if self.first else _nothing)

    def together(self, action: Callable[[], None]) -> None:
        """Let every rank do something; if one cannot, all raise its error, and none waits for it."""
        if not self.several:
            action()
            return
        error: ChainruleError | OSError | None = None
        try:
            action()
        except (ChainruleError, OSError) as raised:
            error = raised
        everyone = told_by_all(
            self.communicator, "" if error is None else str(error) or repr(error)
        )
        if error is not None:
            raise error
        for rank, why in enumerate(everyone):
            if why:
                raise RanksDifferError(_("rank {rank}: {why}", rank=rank, why=why))


def _said_engine(training: Training) -> str:
    """The engine, and why it is not the compiled one."""
    engine, why = str(training.engine_used), training.engine_reason
    return engine if why is None else f"{engine} ({in_language(why, chosen())})"


def _nothing() -> None:
    """What a rank does while another acts."""


def threads_of_rank(ranks: int) -> int | None:
    """The threads of one of several ranks if nobody has said how many: one, since they share the cores."""
    return 1 if ranks > 1 and not os.environ.get("CHAINRULE_NUM_THREADS") else None

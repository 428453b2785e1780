"""`chainrule tune` at work: trials until there are enough, and then the model of the best settings."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

from chainrule.cli.interrupt import CtrlC
from chainrule.cli.model_and_data import Facts
from chainrule.cli.train_options import TrainOptions
from chainrule.cli.train_plan import Plan
from chainrule.cli.train_run import Trained, keep, run_plan
from chainrule.cli.train_ways import Way
from chainrule.cli.tune_optuna import optuna
from chainrule.cli.tune_plan import TuneOptions, about, first_params, model_name, ranges_of
from chainrule.cli.tune_study import Study, storage_url
from chainrule.cli.tune_trial import Tried, suggested, try_out, with_values
from chainrule.lang.languages import chosen
from chainrule.lang.messages import Text, _, _n
from chainrule.training.progress import ProgressOfTrials
from chainrule.training.trials import Trial, Trials

__all__ = ["Search"]

#: Seconds between two looks at the trials of other processes.
LOOK = 1.0


class Search:
    """One `chainrule tune`: the plan of the training, the ranges, and the study that it adds trials to."""

    def __init__(self, plan: Plan, options: TuneOptions) -> None:
        self.plan, self.options = plan, options
        self.ranges = ranges_of(plan)
        self.study = Study(
            storage_url(options.storage, model_name(plan.options)),
            options.study or plan.name,
            about(plan),
            first_params(plan, self.ranges),
            resume=options.resume,
            ranges=self.ranges,
            accuracy=bool(plan.preparation.classes),
            target=plan.preparation.target,
        )
        self.deadline: float | None = None
        #: The training of the best trial, where this process made it and it is the one to keep.
        self.kept: tuple[int, Tried] | None = None
        #: Whether another process counted the present trial as killed.
        self.lost = False

    # -- trials --------------------------------------------------------------------------------------

    def run(self, progress: str | None) -> bool:
        """Make trials until there are enough; gives whether Ctrl-C ended it."""
        if self.options.seconds is not None:
            self.deadline = time.monotonic() + self.options.seconds
        self.progress = ProgressOfTrials(progress, self.options.trials, chosen())
        try:
            with CtrlC(started=True) as ctrl_c:
                while self._next(ctrl_c):
                    self._one(ctrl_c)
                return ctrl_c.pressed
        finally:
            self.progress.close()

    def _next(self, ctrl_c: CtrlC) -> bool:
        """Whether to begin a trial; waits for those of other processes where they are the last."""
        told = False
        while not ctrl_c.pressed:
            self.study.look_for_killed()
            trials = self.study.trials
            ended = len(trials.all)
            late = self.deadline is not None and time.monotonic() > self.deadline
            if ended >= self.options.trials or (late and trials.best is not None):
                return False
            running, waiting = self.study.unfinished()
            if waiting or ended + running < self.options.trials:
                return True
            if not told:
                told = True
                self.progress.say(
                    _n(
                        "waiting for {n} trial of another process (Ctrl-C: not to wait)",
                        "waiting for {n} trials of other processes (Ctrl-C: not to wait)",
                        running,
                    )
                )
            time.sleep(LOOK)
        return False

    def _one(self, ctrl_c: CtrlC) -> None:
        """Make one trial, whatever comes of it."""
        begun: list[optuna.Trial] = []

        def objective(trial: optuna.Trial) -> float:
            begun.append(trial)
            tried = self._tried(trial, ctrl_c)
            best = self.study.trials.best
            number = trial.number
            mine = Trial(number, {}, tried.score)
            if best is None or self.study.trials.key(mine) < self.study.trials.key(best):
                self.kept = None if tried.way is None else (number, tried)
            return tried.score

        try:
            self.study.study.optimize(objective, n_trials=1)
        except KeyboardInterrupt:
            if begun:
                self.study.put_back(begun[0])
            return
        except Exception:
            if not self.lost:
                raise
            self.lost = False
            self.progress.say(
                _(
                    "trial {number} gave no sign of life for a while, so it counts as killed and is tried"
                    " again",
                    number=begun[0].number,
                )
            )
            return
        self._show(begun[0].number)

    def _tried(self, trial: optuna.Trial, ctrl_c: CtrlC) -> Tried:
        values = {one.name: suggested(trial, one) for one in self.ranges}
        trial.set_user_attr("values", values)
        ended = len(self.study.trials.all)
        try:
            tried = try_out(
                self.plan, values, trial, ctrl_c, lambda part: self.progress.within(ended + part)
            )
            trial.set_user_attr("seconds", tried.seconds)
        except optuna.exceptions.UpdateFinishedTrialError:
            self.lost = True  # the machine slept, say, and another process has taken the trial over
            raise
        return tried

    def _show(self, number: int) -> None:
        trials = self.study.trials
        found = [one for one in trials.all if one.number == number]
        best = trials.best
        if not found or best is None:
            return
        line = _(
            "trial {number}: {score}, {seconds:.1f} s; {best}",
            number=number,
            score=_outcome(found[0], trials),
            seconds=found[0].seconds,
            best=_best(best, trials),
        )
        self.progress.end(len(trials.all), line, _best(best, trials))

    # -- the model -----------------------------------------------------------------------------------

    def model(self, progress: str | None) -> Trained:
        """The model of the best settings, kept as `chainrule train` keeps it."""
        trials = self.study.trials
        best = trials.best
        assert best is not None
        if self.options.plot is not None:
            from chainrule.plots.tuning import draw_tuning

            draw_tuning(trials, self.options.plot, lang=chosen())
        options = with_values(self.plan.options, best.values)
        name = "accuracy" if trials.accuracy else "rmse"
        facts = {
            **self.plan.facts,
            "made_by": "chainrule tune",
            "tuning": {
                "study": self.study.name,
                "trials": len(trials.all),
                "pruned": len(trials.pruned),
                "trial": best.number,
                name: best.score,
            },
        }
        if self.kept is not None and self.kept[0] == best.number:
            tried = self.kept[1]
            assert tried.way is not None
            return keep(self._with(options, tried.way, facts), tried.outcome, tried.seconds)
        way = type(self.plan.way)(options, self.plan.preparation, self.plan.training_rows[0])
        trained = run_plan(self._with(options, way, facts), progress)
        assert trained is not None  # this is no rank
        return trained

    def as_json(self, trained: Trained) -> Facts:
        """Everything, for another program."""
        trials = [asdict(one) for one in self.study.trials.all]
        return {**trained.as_json(), "storage": self.study.told, "trials": trials}

    def _with(self, options: TrainOptions, way: Way, facts: Facts) -> Plan:
        """The plan of the training with the best settings."""
        facts["training"] = way.facts()
        trials = self.study.trials
        return replace(self.plan, options=options, way=way, facts=facts, trials=trials)


def _outcome(trial: Trial, trials: Trials) -> Text | str:
    if trial.score is None:
        return _("its loss was not finite")
    told = trials.said(trial.score)
    return _("{score}, ended early", score=told) if trial.pruned else told


def _best(best: Trial, trials: Trials) -> Text:
    return _("best {score} (trial {number})", score=trials.said(best.score), number=best.number)

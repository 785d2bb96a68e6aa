"""Trials whose values Optuna draws, guided by earlier trials, and keeps in a database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from chemnet.errors import ConfigError
from chemnet.sweeps.search_space import Choice, Range, Space
from chemnet.sweeps.trial import Search, Trial, TrialState

# attributes of Optuna's trials: which slot of the sweep they fill, and which trial they go on with
_SLOT, _CONTINUES = "slot", "continues"


@dataclass
class Study(Search):
    """An Optuna study: tree-structured Parzen estimators draw values, a pruner stops hopeless trials.

    Every process opens the storage by itself. What a slot draws is a function of the seed and of the trials
    that have ended by then.

    Parameters
    ----------
    storage
        URL of the database.
    name
        The study's name there.
    space
        What is drawn from.
    seed
        Of all draws.
    pruner
        ``"median"``: a trial ends when its best score is worse than the median of the earlier ones at the
        same epoch; ``"none"``.
    startup_trials
        Trials that end before any is pruned.
    warmup_epochs
        Epochs before a trial may be pruned.
    """

    storage: str
    name: str
    space: Space
    seed: int
    pruner: str = "median"
    startup_trials: int = 5
    warmup_epochs: int = 0
    _live: dict[int, Any] = field(default_factory=dict, repr=False)

    def create(self) -> None:
        """Make the study, or find the one that an earlier run of the sweep made.

        Raises
        ------
        ConfigError
            When the storage cannot be used.
        """
        import optuna

        try:
            optuna.create_study(
                study_name=self.name, storage=self._store, direction="minimize", load_if_exists=True
            )
        except Exception as error:  # SQLAlchemy's, the driver's or Optuna's own
            raise ConfigError(
                f"sweep.storage = {self.storage!r} cannot be used: {str(error).splitlines()[0]}",
                hint="give a URL that Optuna knows, such as postgresql://host/sweeps; "
                "false keeps an SQLite file",
            ) from error

    def begin(self, slot: int) -> Trial:
        """Draw the values of a slot; an attempt that broke off is begun again with the same values."""
        import optuna

        RUNNING = optuna.trial.TrialState.RUNNING
        earlier = [one for one in self._study.get_trials(deepcopy=False) if one.user_attrs.get(_SLOT) == slot]
        for one in earlier:
            if one.state in (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED):
                return Trial(_number(one), self._values(one.params))
            if one.state == RUNNING:
                self._study.tell(one.number, state=optuna.trial.TrialState.FAIL)
                self._study.enqueue_trial(one.params, user_attrs={_CONTINUES: _number(one)})
        self._study.sampler = optuna.samplers.TPESampler(seed=self.seed + slot)
        drawn = self._study.ask()
        drawn.set_user_attr(_SLOT, slot)
        params = {key: _suggest(drawn, key, domain) for key, domain in self.space.items()}
        trial = Trial(_number(drawn), self._values(params))
        self._live[trial.number] = drawn
        return trial

    def hopeless(self, trial: Trial, epoch: int, score: float) -> bool:
        """Report the score and ask the pruner."""
        drawn = self._live[trial.number]
        drawn.report(score, epoch)
        return drawn.should_prune()

    def end(self, trial: Trial, state: TrialState, score: float) -> None:
        """Tell the study."""
        from optuna.trial import TrialState as Told

        drawn = self._live.pop(trial.number, None)
        if drawn is None:  # it was told before, by a worker that died with the answer
            return
        if state == "done":
            self._study.tell(drawn, score)
        else:  # of a pruned trial Optuna knows the scores that were reported
            self._study.tell(drawn, state=Told.PRUNED if state == "pruned" else Told.FAIL)

    def close(self) -> None:
        """Close the database, so that its file can be moved."""
        self._store.remove_session()
        self._store.engine.dispose()

    def _values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values that the study's parameters stand for."""
        return {key: _value(domain, params[key]) for key, domain in self.space.items()}

    def __getstate__(self) -> dict[str, Any]:
        kept = ("storage", "name", "space", "seed", "pruner", "startup_trials", "warmup_epochs")
        return {name: getattr(self, name) for name in kept} | {"_live": {}}

    @cached_property
    def _store(self) -> Any:
        """The storage, opened by this process."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        # processes of one machine that write at the same time wait for one another
        waiting = {"connect_args": {"timeout": 60}} if self.storage.startswith("sqlite") else {}
        return optuna.storages.RDBStorage(self.storage, engine_kwargs=waiting)

    @cached_property
    def _study(self) -> Any:
        """The study, loaded by this process."""
        import optuna

        pruner: Any = optuna.pruners.NopPruner()
        if self.pruner == "median":
            pruner = optuna.pruners.MedianPruner(self.startup_trials, self.warmup_epochs)
        return optuna.load_study(study_name=self.name, storage=self._store, pruner=pruner)


def _number(trial: Any) -> int:
    """Return the number under which a trial of Optuna is trained."""
    return int(trial.user_attrs.get(_CONTINUES, trial.number))


def _suggest(drawn: Any, key: str, domain: Choice | Range) -> Any:
    if isinstance(domain, Range):
        suggest = drawn.suggest_int if domain.whole else drawn.suggest_float
        return suggest(key, domain.low, domain.high, log=domain.logarithmic)
    return drawn.suggest_categorical(key, [json.dumps(value) for value in domain.values])


def _value(domain: Choice | Range, parameter: Any) -> Any:
    """Return the value of a parameter: alternatives are kept as text, which may hold lists."""
    if isinstance(domain, Range):
        return parameter
    return next(value for value in domain.values if json.dumps(value) == parameter)


def study_options(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of ``[sweep]`` that a study takes."""
    return {name: table[name] for name in ("pruner", "startup_trials", "warmup_epochs")}

"""Tellus behind Optuna: `optuna.create_study(sampler=TellusSampler())`, and Optuna's finished studies taken over.

Optuna learns its search space while it runs, Tellus is told it beforehand. The sampler therefore keeps one study of
Tellus's for each search space that Optuna's trials turn out to share, and attaches to it what was evaluated before.
Parameters outside that shared space (all of the first trial, those in branches) are sampled independently.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.samplers._base import _CONSTRAINTS_KEY, _process_constraints_after_trial
from optuna.search_space import IntersectionSearchSpace
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from .errors import AlreadyTold, LeaseLost, SpaceExhausted
from .study import Client, Study

FINISHED = (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)
#: Where a trial of Optuna's remembers what it is at Tellus.
TRIAL_KEY = "tellus:trial"


class TellusSampler(BaseSampler):
    """A sampler of Optuna's that asks Tellus.

    `client` is a `Client` or a URL, `seed` also that of `independent_sampler` (random where absent), `acquisition` an
    algorithm's name, and `constraints_func` returns values that are feasible up to 0. What fails is told as failed, what
    is pruned as stopped: unlike other samplers this one learns from both.
    """

    def __init__(
        self,
        client: Client | str | None = None,
        *,
        seed: int | None = None,
        acquisition: str = "auto",
        independent_sampler: BaseSampler | None = None,
        constraints_func: Callable[[FrozenTrial], Sequence[float]] | None = None,
    ):
        self._client = client if isinstance(client, Client) else Client(client)
        self._seed = seed
        self._acquisition = acquisition
        self._independent = independent_sampler or RandomSampler(seed=seed)
        self._constraints_func = constraints_func
        self._space = IntersectionSearchSpace()
        self._lock = threading.Lock()
        self._mirrors: dict[str, _Mirror] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_lock", "_mirrors")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()
        self._mirrors = {}

    def reseed_rng(self) -> None:
        self._independent.reseed_rng()

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        space = self._space.calculate(study)
        return {name: distribution for name, distribution in space.items() if not distribution.single()}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if not search_space:
            return {}
        with self._lock:
            mirror = self._mirror(study, search_space)
            mirror.catch_up(study)
        try:
            asked = mirror.study.ask(worker=f"optuna-{trial.number}", lease_seconds=None)
        except SpaceExhausted:
            # Every point was handed out; Optuna's trials may repeat some.
            independent = self._independent.sample_independent
            return {name: independent(study, trial, name, space) for name, space in search_space.items()}
        link = {"study": mirror.study.id, "number": asked.number}
        study._storage.set_trial_system_attr(trial._trial_id, TRIAL_KEY, link)
        return {name: _from_label(search_space[name], value) for name, value in asked.parameters.items()}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._independent.before_trial(study, trial)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        if self._constraints_func is not None:
            _process_constraints_after_trial(self._constraints_func, study, trial, state)
        self._independent.after_trial(study, trial, state, values)
        link = trial.system_attrs.get(TRIAL_KEY)
        if link is None:
            return
        constraints = study._storage.get_trial(trial._trial_id).system_attrs.get(_CONSTRAINTS_KEY)
        mirror = Study(self._client.connection, self._client.open(link["study"]).record)
        try:
            mirror.tell(link["number"], **_outcome(mirror, state, values, constraints))
        except (AlreadyTold, LeaseLost):
            return

    def _mirror(self, study: optuna.Study, space: dict[str, BaseDistribution]) -> _Mirror:
        constraints = 0
        if self._constraints_func is not None:
            told = (t.system_attrs.get(_CONSTRAINTS_KEY) for t in study.get_trials(deepcopy=False))
            constraints = max((len(values) for values in told if values), default=0)
        parameters = [_parameter(name, distribution) for name, distribution in space.items()]
        body = {"parameters": parameters, "metrics": _metrics(study, constraints)}
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:12]
        name = f"optuna/{study.study_name}"[:180] + f"/{digest}"
        if name not in self._mirrors:
            definition: dict[str, Any] = {"algorithm": {"acquisition": self._acquisition}}
            if self._seed is not None:
                definition["seed"] = self._seed
            created = self._client.study(name, parameters, body["metrics"], **definition)
            self._mirrors[name] = _Mirror(created, dict(space))
        return self._mirrors[name]


class _Mirror:
    """A study of Tellus's with one search space of a study of Optuna's."""

    def __init__(self, study: Study, space: dict[str, BaseDistribution]):
        self.study = study
        self.space = space
        self.key = f"tellus:attached:{study.id}"
        self.seen: set[int] = set()

    def catch_up(self, study: optuna.Study) -> None:
        """Attaches the finished trials that Tellus does not know: those that others proposed."""
        trials = study.get_trials(deepcopy=False, states=FINISHED)
        new = [trial for trial in trials if trial.number not in self.seen]
        if not new:
            return
        known = set(study._storage.get_study_system_attrs(study._study_id).get(self.key, []))
        bodies = []
        for trial in new:
            self.seen.add(trial.number)
            link = trial.system_attrs.get(TRIAL_KEY) or {}
            if trial.number in known or link.get("study") == self.study.id or not self._fits(trial):
                continue
            point = {name: _to_label(d, trial.params[name]) for name, d in self.space.items()}
            values = trial.values if trial.state == TrialState.COMPLETE else None
            constraints = trial.system_attrs.get(_CONSTRAINTS_KEY)
            outcome = _outcome(self.study, trial.state, values, constraints)
            if "metrics" in outcome or "failed" in outcome or "stopped" in outcome:
                bodies.append({"parameters": point, "outside": True, **outcome})
                known.add(trial.number)
        if bodies:
            self.study.attach(bodies)
            study._storage.set_study_system_attr(study._study_id, self.key, sorted(known))

    def _fits(self, trial: FrozenTrial) -> bool:
        return all(
            name in trial.params and distribution._contains(distribution.to_internal_repr(trial.params[name]))
            for name, distribution in self.space.items()
        )


def _outcome(
    study: Study, state: TrialState, values: Sequence[float] | None, constraints: Sequence[float] | None
) -> dict[str, Any]:
    if state == TrialState.PRUNED:
        return {"stopped": True}
    if values is None or not all(map(math.isfinite, values)):
        return {"failed": "it failed in Optuna"}
    metrics = dict(zip(study.objectives, (float(value) for value in values), strict=True))
    known = {metric["name"] for metric in study.record["metrics"]}
    for i, value in enumerate(constraints or ()):
        if f"constraint_{i}" in known and math.isfinite(value):
            metrics[f"constraint_{i}"] = float(value)
    return {"metrics": metrics}


def _metrics(study: optuna.Study, constraints: int, names: Iterable[str] | None = None) -> list[dict[str, Any]]:
    named = list(names or study.metric_names or [])
    if not named:
        count = len(study.directions)
        named = ["value"] if count == 1 else [f"value_{i}" for i in range(count)]
    goals = {StudyDirection.MAXIMIZE: "maximize"}
    metrics: list[dict[str, Any]] = [
        {"name": name, "goal": goals.get(direction, "minimize")}
        for name, direction in zip(named, study.directions, strict=True)
    ]
    return metrics + [{"name": f"constraint_{i}", "goal": "constrain", "upper": 0.0} for i in range(constraints)]


def _parameter(name: str, distribution: BaseDistribution) -> dict[str, Any]:
    if isinstance(distribution, CategoricalDistribution):
        return {"name": name, "type": "categorical", "choices": _labels(distribution)}
    if isinstance(distribution, IntDistribution):
        kind, step = "int", None if distribution.step == 1 else distribution.step
    elif isinstance(distribution, FloatDistribution):
        kind, step = "float", distribution.step
    else:
        raise TypeError(f"{name}: {distribution} has no counterpart at Tellus")
    scale = "log" if distribution.log else "linear"
    parameter = {"name": name, "type": kind, "low": distribution.low, "high": distribution.high, "scale": scale}
    return parameter if step is None else parameter | {"step": step}


def _labels(distribution: CategoricalDistribution) -> list[Any]:
    """The choices as Tellus takes them: as they are where they are of one kind, else by their place and look."""
    choices = list(distribution.choices)
    kinds = {"number" if type(choice) in (int, float) else type(choice).__name__ for choice in choices}
    if len(kinds) == 1 and kinds <= {"number", "str", "bool"} and len(set(choices)) == len(choices):
        return choices
    return [f"{i}: {choice!r}" for i, choice in enumerate(choices)]


def _to_label(distribution: BaseDistribution, value: Any) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return _labels(distribution)[int(distribution.to_internal_repr(value))]
    return value


def _from_label(distribution: BaseDistribution, value: Any) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[_labels(distribution).index(value)]
    if isinstance(distribution, IntDistribution):
        return int(value)
    return min(max(float(value), distribution.low), distribution.high)


def import_study(
    source: optuna.Study | str,
    study_name: str | None,
    *,
    name: str | None,
    client: Client,
    metric_names: Iterable[str] | None,
) -> Study:
    """As `tellus.from_optuna`."""
    study = source
    if isinstance(study, str):
        study = optuna.load_study(study_name=study_name, storage=study)
    trials = study.get_trials(deepcopy=False, states=FINISHED)
    distributions: dict[str, BaseDistribution] = {}
    for trial in trials:
        for parameter, distribution in trial.distributions.items():
            if distributions.setdefault(parameter, distribution) != distribution:
                raise ValueError(f"{parameter}: its distribution changed from trial to trial")
    parameters = []
    for parameter, distribution in distributions.items():
        condition = _condition(parameter, distributions, trials)
        parameters.append(_parameter(parameter, distribution) | ({"when": condition} if condition else {}))
    constraints = max((len(t.system_attrs.get(_CONSTRAINTS_KEY) or ()) for t in trials), default=0)
    metrics = _metrics(study, constraints, metric_names)
    mirror = client.study(name or study.study_name, parameters, metrics)
    bodies: list[dict[str, Any]] = []
    for trial in trials:
        body: dict[str, Any] = {
            "parameters": {key: _to_label(distributions[key], value) for key, value in trial.params.items()},
            "ended_at": trial.datetime_complete,
            **_outcome(
                mirror,
                trial.state,
                trial.values if trial.state == TrialState.COMPLETE else None,
                trial.system_attrs.get(_CONSTRAINTS_KEY),
            ),
        }
        if trial.intermediate_values and len(mirror.objectives) == 1:
            body["measurements"] = [
                {"step": step, "metrics": {mirror.objectives[0]: value}}
                for step, value in sorted(trial.intermediate_values.items())
                if math.isfinite(value)
            ]
        bodies.append(body)
    if bodies:
        mirror.attach(bodies)
    return mirror


def _condition(
    name: str, distributions: dict[str, BaseDistribution], trials: Sequence[FrozenTrial]
) -> dict[str, list[Any]]:
    """What switches a parameter on: the values of the one choice that explains in which trials it is there."""
    present = [trial for trial in trials if name in trial.params]
    absent = [trial for trial in trials if name not in trial.params]
    if not absent:
        return {}
    for parent, distribution in distributions.items():
        if parent == name or not isinstance(distribution, CategoricalDistribution):
            continue
        if not all(parent in trial.params for trial in present):
            continue
        on = {_labels(distribution).index(_to_label(distribution, trial.params[parent])) for trial in present}
        off = {
            _labels(distribution).index(_to_label(distribution, trial.params[parent]))
            for trial in absent
            if parent in trial.params
        }
        if not on & off:
            return {parent: [_labels(distribution)[i] for i in sorted(on)]}
    raise ValueError(f"{name}: no choice explains why only some trials have it; give it to all, or leave it out")

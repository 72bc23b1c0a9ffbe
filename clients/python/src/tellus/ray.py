"""`TellusSearch`: a search algorithm for Ray Tune."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher
from ray.tune.search import sample as domains

from .errors import BudgetSpent, SpaceExhausted
from .space import Categorical, Float, Int
from .study import Client, Study

LEASE_SECONDS = 24 * 3600


class TellusSearch(Searcher):
    """Suggests configurations that Tellus proposes.

    `space` is as in `tellus.minimize`; without it, Ray's `param_space` is used: `tune.uniform`, `loguniform`, `quniform`,
    `randint`, `lograndint`, `qrandint`, `choice`; whatever in it is no domain is passed on as it is. With a `study_name`
    the search goes on with that study.
    """

    def __init__(
        self,
        space: Mapping[str, Any] | None = None,
        *,
        metric: str | None = None,
        mode: str | None = None,
        client: Client | str | None = None,
        study_name: str | None = None,
        **definition: Any,
    ):
        super().__init__(metric=metric, mode=mode)
        self._metric: str | None = metric
        self._mode: str | None = mode
        self._client = client if isinstance(client, Client) else Client(client)
        self._space = dict(space) if space else None
        self._fixed: dict[str, Any] = {}
        self._study_name = study_name or f"ray-{uuid.uuid4().hex[:8]}"
        self._definition = definition
        self._study: Study | None = None
        self._numbers: dict[str, int] = {}
        self._open_study()

    def _open_study(self) -> None:
        if self._space and self._metric and self._mode:
            goal = {"min": "minimize", "max": "maximize"}[self._mode]
            metrics = {self._metric: goal}
            self._study = self._client.study(self._study_name, self._space, metrics, **self._definition)

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        if self._study is not None:
            return False
        self._metric = metric or self._metric
        self._mode = mode or self._mode
        if config and self._space is None:
            self._space = {key: _domain(key, value) for key, value in config.items() if _is_domain(value)}
            self._fixed = {key: value for key, value in config.items() if not _is_domain(value)}
        self._open_study()
        return self._study is not None

    def suggest(self, trial_id: str) -> Any:
        if self._study is None:
            raise RuntimeError("TellusSearch needs a space, a metric and a mode, here or in TuneConfig")
        try:
            trial = self._study.ask(worker=f"ray-{trial_id}", lease_seconds=LEASE_SECONDS)
        except (BudgetSpent, SpaceExhausted):
            return Searcher.FINISHED
        self._numbers[trial_id] = trial.number
        return {**self._fixed, **trial.parameters}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        number = self._numbers.pop(trial_id, None)
        if number is None or self._study is None:
            return
        value = (result or {}).get(self._metric or "")
        if error:
            self._study.tell(number, failed="it failed in Ray Tune")
        elif value is None or not math.isfinite(value):
            self._study.tell(number, failed=f"{self._metric} is {value}")
        else:
            self._study.tell(number, float(value))

    def save(self, checkpoint_path: str) -> None:
        state = {"study_name": self._study_name, "numbers": self._numbers}
        Path(checkpoint_path).write_text(json.dumps(state), encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        state = json.loads(Path(checkpoint_path).read_text(encoding="utf-8"))
        self._study_name, self._numbers = state["study_name"], state["numbers"]
        self._study = self._client.study(self._study_name)


def _is_domain(value: Any) -> bool:
    return isinstance(value, domains.Domain)


def _domain(name: str, domain: Any) -> Any:
    sampler = domain.get_sampler()
    step = None
    if isinstance(sampler, domains.Quantized):
        step, sampler = sampler.q, sampler.sampler
    log = isinstance(sampler, domains.LogUniform)
    if isinstance(domain, domains.Float):
        return Float(domain.lower, domain.upper, log=log, step=step)
    if isinstance(domain, domains.Integer):
        # Ray leaves the upper end out, except on a grid.
        high = domain.upper if step else domain.upper - 1
        return Int(domain.lower, high, log=log, step=int(step) if step else None)
    if isinstance(domain, domains.Categorical):
        return Categorical(domain.categories)
    raise TypeError(f"{name}: {domain!r} has no counterpart at Tellus")

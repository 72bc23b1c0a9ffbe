"""`minimize` and `maximize`: a function, a space, a number of trials.

Workers are threads, or whatever executor is given. Each trial is held by a short lease that is extended while its function
runs: what a killed program was doing expires by itself, and the same call (with a `name`) goes on from what the service
knows.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import math
import socket
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import space as spaces
from .errors import AlreadyTold, BudgetSpent, LeaseLost, SpaceExhausted, StudyNotActive, TellusError
from .progress import Progress, progress_for
from .study import Client, Study, Trial

#: States of trials that count towards how many a study is to have.
COUNTED = ("completed", "failed", "stopped")
LEASE_SECONDS = 60


class StopTrial(Exception):
    """Raised by an objective: this trial was ended early."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What was found: the best trial's `parameters` and `value`, `None` where no trial was feasible."""

    study: Study
    trial: Trial | None

    @property
    def parameters(self) -> dict[str, Any] | None:
        return self.trial.parameters if self.trial else None

    @property
    def value(self) -> float | None:
        return self.trial.value if self.trial else None

    @property
    def metrics(self) -> dict[str, float]:
        return self.trial.metrics if self.trial else {}


def minimize(
    function: Callable[[dict[str, Any]], Any],
    space: spaces.Space,
    *,
    trials: int,
    metrics: Mapping[str, Any] | str = "minimize",
    name: str | None = None,
    client: Client | str | None = None,
    workers: int = 1,
    executor: concurrent.futures.Executor | None = None,
    catch: tuple[type[BaseException], ...] = (Exception,),
    progress: bool = True,
    callback: Callable[[Trial], None] | None = None,
    constraints: Sequence[spaces.Constraint] = (),
    **definition: Any,
) -> Result:
    """Looks for the parameters at which `function` is least.

    `function` takes a dictionary of parameters and returns the objective's value, a pair of value and standard error, or
    a dictionary of `metrics`. What it raises of `catch` is a failure of the point, and learned from; `StopTrial` ends the
    trial early. With a `name`, an interrupted call goes on where it was: the study is to have `trials` trials in the end.
    Without, the study gets a name of its own. `workers` threads evaluate at once; with an `executor` (a process pool, for
    one) it evaluates, and `workers` says how many trials it gets at once. `client` is a `Client` or a URL.
    """
    service = client if isinstance(client, Client) else Client(client)
    title = name or f"{getattr(function, '__name__', 'function').strip('<>')}-{uuid.uuid4().hex[:8]}"
    study = service.study(title, space, metrics, constraints=constraints, **definition)
    run = _Run(study, function, trials, catch, executor, callback, progress_for(progress, study.record, trials))
    run.work(workers)
    return Result(study, study.best().trial)


def maximize(
    function: Callable[[dict[str, Any]], Any],
    space: spaces.Space,
    *,
    trials: int,
    metrics: Mapping[str, Any] | str = "maximize",
    **options: Any,
) -> Result:
    """Looks for the parameters at which `function` is greatest; as `minimize`."""
    return minimize(function, space, trials=trials, metrics=metrics, **options)


class _Run:
    def __init__(
        self,
        study: Study,
        function: Callable[[dict[str, Any]], Any],
        trials: int,
        catch: tuple[type[BaseException], ...],
        executor: concurrent.futures.Executor | None,
        callback: Callable[[Trial], None] | None,
        progress: Progress,
    ):
        counts = study.record["trial_counts"]
        self.study = study
        self.function = function
        self.left = max(0, trials - sum(counts[state] for state in COUNTED))
        self.is_resumed = any(counts.values())
        self.catch = catch
        self.executor = executor
        self.callback = callback
        self.progress = progress
        self.is_over = threading.Event()
        self.lock = threading.Lock()
        self.held: dict[int, Trial] = {}
        self.worker = socket.gethostname()[:200]

    def work(self, workers: int) -> None:
        if self.is_resumed:
            self.progress.resume([trial.record for trial in self.study.trials()])
        heart = threading.Thread(target=self._beat, daemon=True)
        heart.start()
        try:
            if workers == 1:
                self._loop()
                return
            with concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="tellus") as pool:
                futures = [pool.submit(self._loop) for _ in range(workers)]
                try:
                    for future in concurrent.futures.as_completed(futures):
                        future.result()
                finally:
                    self.is_over.set()
        finally:
            self.is_over.set()
            heart.join()
            self.progress.close()

    def _take(self) -> bool:
        with self.lock:
            self.left -= 1
            return self.left >= 0 and not self.is_over.is_set()

    def _loop(self) -> None:
        while self._take():
            try:
                trial = self.study.ask(worker=self.worker, lease_seconds=LEASE_SECONDS)
            except (BudgetSpent, SpaceExhausted, StudyNotActive):
                self.is_over.set()
                return
            with self.lock:
                self.held[trial.number] = trial
            try:
                self._evaluate(trial)
            finally:
                with self.lock:
                    del self.held[trial.number]
            self.progress.update(trial.record)
            if self.callback is not None:
                self.callback(trial)

    def _evaluate(self, trial: Trial) -> None:
        # Another may hold the trial by now, where this process was asleep: then its answer counts.
        try:
            try:
                if self.executor is None:
                    value = self.function(trial.parameters)
                else:
                    value = self.executor.submit(self.function, trial.parameters).result()
            except StopTrial:
                trial.stop()
            except self.catch as error:
                trial.fail(f"{type(error).__name__}: {error}")
            except BaseException as error:
                self.is_over.set()
                trial.abandon(repr(error))
                raise
            else:
                fault = _fault(value)
                if fault:
                    trial.fail(fault)
                else:
                    trial.tell(value)
        except (LeaseLost, AlreadyTold):
            trial.record = self.study.get_trial(trial.number).record

    def _beat(self) -> None:
        """Says of every trial that is being evaluated that it still is."""
        while not self.is_over.wait(LEASE_SECONDS / 3):
            with self.lock:
                held = list(self.held.values())
            for trial in held:
                try:
                    trial.heartbeat()
                except TellusError:
                    # Told meanwhile, or the service is away: the tell will show.
                    continue


def _fault(value: Any) -> str | None:
    """Why a value cannot be told: it is no finite number."""
    values = value.values() if isinstance(value, Mapping) else [value]
    for one in values:
        number = one[0] if isinstance(one, (tuple, list)) else one.get("value") if isinstance(one, Mapping) else one
        try:
            is_finite = math.isfinite(float(number))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return f"the function returned {value!r}, which is no number"
        if not is_finite:
            return f"the function returned {value!r}"
    return None

"""`MlflowCallback`: each trial as a run of MLflow's."""

from __future__ import annotations

from threading import Lock
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from .study import Trial

#: How a trial's state is called there.
STATUS = {"completed": "FINISHED", "failed": "FAILED", "stopped": "FINISHED"}


class MlflowCallback:
    """`minimize(…, callback=MlflowCallback())`: logs each trial's parameters, metrics, state and number.

    The experiment is the study's name unless one is given. May be called from any thread.
    """

    def __init__(self, experiment: str | None = None, *, tracking_uri: str | None = None, **tags: Any):
        self._client = MlflowClient(tracking_uri)
        self._experiment = experiment
        self._tags = tags
        self._ids: dict[str, str] = {}
        self._lock = Lock()

    def __call__(self, trial: Trial) -> None:
        experiment = self._experiment_id(self._experiment or trial.study.name)
        tags = {
            **{name: str(value) for name, value in self._tags.items()},
            "mlflow.runName": f"{trial.study.name}-{trial.number}",
            "tellus.study": trial.study.id,
            "tellus.trial": str(trial.number),
            "tellus.state": trial.state,
            "tellus.origin": str(trial.record.get("origin")),
        }
        if trial.record.get("reason"):
            tags["tellus.reason"] = str(trial.record["reason"])[:5000]
        run = self._client.create_run(experiment, tags=tags)
        for name, value in trial.parameters.items():
            self._client.log_param(run.info.run_id, name, value)
        for name, value in trial.metrics.items():
            self._client.log_metric(run.info.run_id, name, value)
        self._client.set_terminated(run.info.run_id, STATUS.get(trial.state, "KILLED"))

    def _experiment_id(self, name: str) -> str:
        """The experiment's id there. It is made at the first trial, by whichever thread or process comes first."""
        with self._lock:
            if name not in self._ids:
                self._ids[name] = self._found(name) or self._made(name)
            return self._ids[name]

    def _found(self, name: str) -> str | None:
        experiment = self._client.get_experiment_by_name(name)
        return str(experiment.experiment_id) if experiment else None

    def _made(self, name: str) -> str:
        try:
            return str(self._client.create_experiment(name))
        except MlflowException:
            # Another process made it in the meantime; else this is its own error.
            found = self._found(name)
            if found is None:
                raise
            return found

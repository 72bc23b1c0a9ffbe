"""Trials that were evaluated elsewhere, taken over into a study: from Optuna's storages, Ax's JSON, and CSV files."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .study import Client, Study

if TYPE_CHECKING:
    import optuna


def from_optuna(
    source: optuna.Study | str,
    study_name: str | None = None,
    *,
    name: str | None = None,
    client: Client | str | None = None,
    metric_names: Iterable[str] | None = None,
) -> Study:
    """A study of Optuna's (or the storage URL it is in) with all its finished trials.

    The search space is that of its trials' distributions; a parameter whose distributions differ, or that only some
    trials have, cannot be told apart from a conditional one and is refused. Pruned trials are told as stopped, with their
    intermediate values as measurements; failed ones as failed.
    """
    from . import optuna as bridge

    return bridge.import_study(source, study_name, name=name, client=_client(client), metric_names=metric_names)


def from_csv(
    path: str | os.PathLike[str],
    space: Mapping[str, Any],
    metrics: Mapping[str, Any],
    *,
    name: str | None = None,
    client: Client | str | None = None,
    columns: Mapping[str, str] | None = None,
    failed: str | None = None,
    **definition: Any,
) -> Study:
    """A study with the rows of a CSV file: a column for each parameter and metric (`columns` maps names to other
    headers). A row whose objectives are empty or no finite numbers counts as failed; `failed` names a column that says
    why. Points outside the space are kept as such."""
    study = _client(client).study(name or Path(path).stem, space, metrics, **definition)
    parameters = {parameter["name"]: parameter for parameter in study.record["parameters"]}
    header = dict(columns or {})
    trials = []
    with open(path, newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            point = {
                key: _label(parameter, row[header.get(key, key)])
                for key, parameter in parameters.items()
                if (row.get(header.get(key, key)) or "").strip()
            }
            reason = (row.get(failed) or "").strip() if failed else ""
            trial: dict[str, Any] = {"parameters": point, "outside": True}
            values = {
                metric["name"]: _number(row.get(header.get(metric["name"], metric["name"])))
                for metric in study.record["metrics"]
            }
            is_missing = any(values[objective] is None for objective in study.objectives)
            if reason or is_missing:
                trial["failed"] = reason or "no value"
            else:
                trial["metrics"] = {key: value for key, value in values.items() if value is not None}
            trials.append(trial)
    if trials:
        study.attach(trials)
    return study


def from_ax(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    name: str | None = None,
    client: Client | str | None = None,
) -> Study:
    """A study with the search space, goals and trials of an Ax experiment: the file that Ax's `save_to_json_file` or
    `AxClient.save_to_json_file` writes, or its contents."""
    if isinstance(source, Mapping):
        saved = dict(source)
    else:
        saved = json.loads(Path(source).read_text(encoding="utf-8"))
    experiment = saved.get("experiment", saved)
    if experiment.get("__type") not in ("Experiment", "MultiTypeExperiment"):
        raise ValueError("this is no Ax experiment: there is no Experiment in it")
    space = [_ax_parameter(parameter) for parameter in experiment["search_space"]["parameters"]]
    fixed = {p["name"] for p in experiment["search_space"]["parameters"] if p["__type"] == "FixedParameter"}
    metrics = _ax_metrics(experiment["optimization_config"])
    title = name or experiment.get("name") or "from-ax"
    study = _client(client).study(title, [parameter for parameter in space if parameter], metrics)
    values = _ax_values(experiment.get("data_by_trial") or {})
    wanted = {metric["name"] for metric in metrics}
    trials = []
    for index, trial in sorted(experiment.get("trials", {}).items(), key=lambda pair: int(pair[0])):
        state = str((trial.get("status") or {}).get("name", ""))
        arms = [trial["generator_run"]] if trial.get("generator_run") else trial.get("generator_runs", [])
        for arm in _ax_arms(arms):
            point = {key: value for key, value in arm["parameters"].items() if key not in fixed}
            measured = values.get((int(index), arm["name"]), {})
            body: dict[str, Any] = {"parameters": point, "outside": True}
            if state == "COMPLETED" and set(study.objectives) <= set(measured):
                body["metrics"] = {key: measured[key] for key in measured if key in wanted}
            elif state == "FAILED":
                body["failed"] = "failed in Ax"
            elif state == "EARLY_STOPPED":
                body["stopped"] = True
            else:
                continue
            trials.append(body)
    if trials:
        study.attach(trials)
    return study


def _client(client: Client | str | None) -> Client:
    return client if isinstance(client, Client) else Client(client)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _label(parameter: dict[str, Any], text: str) -> Any:
    """A cell as a value of the parameter."""
    if parameter["type"] == "float":
        return float(text)
    if parameter["type"] == "int":
        return int(float(text))
    known = parameter.get("choices") or parameter.get("values") or []
    return next((label for label in known if _cell(label) == text.strip().lower()), text)


def _cell(label: Any) -> str:
    return str(label).lower()


def _ax_parameter(parameter: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = parameter["__type"]
    name = parameter["name"]
    if kind == "FixedParameter":
        return None
    if kind == "RangeParameter":
        whole = parameter["parameter_type"]["name"] == "INT"
        return {
            "name": name,
            "type": "int" if whole else "float",
            "low": parameter["lower"],
            "high": parameter["upper"],
            "scale": "log" if parameter.get("log_scale") else "linear",
        }
    if kind == "ChoiceParameter":
        values = parameter["values"]
        if parameter.get("is_ordered"):
            return {"name": name, "type": "ordinal", "values": values}
        return {"name": name, "type": "categorical", "choices": values}
    raise ValueError(f"Ax's {kind} ({name}) has no counterpart here")


def _ax_metrics(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    metrics = _ax_objectives(config["objective"])
    for constraint in config.get("outcome_constraints") or []:
        if constraint.get("relative"):
            raise ValueError("a constraint relative to a status quo has no counterpart here")
        end = "lower" if constraint["op"]["name"] == "GEQ" else "upper"
        metrics.append({"name": constraint["metric"]["name"], "goal": "constrain", end: constraint["bound"]})
    return metrics


def _ax_objectives(objective: Mapping[str, Any]) -> list[dict[str, Any]]:
    """As an expression (`-loss`, `accuracy, -cost`), or as a list of objectives, or one, with their metrics."""
    if expression := objective.get("expression"):
        metrics = []
        for term in str(expression).split(","):
            name = term.strip().removeprefix("-").strip()
            if not name or any(sign in name for sign in "+*/ "):
                raise ValueError(f"the objective {term.strip()!r} is no metric; a weighted sum has no counterpart here")
            metrics.append({"name": name, "goal": "minimize" if term.strip().startswith("-") else "maximize"})
        return metrics
    each = objective.get("objectives") or [objective]
    return [
        {
            "name": (one.get("metric") or one["metrics"][0])["name"],
            "goal": "minimize" if one["minimize"] else "maximize",
        }
        for one in each
    ]


def _ax_arms(runs: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    for run in runs:
        run = run.get("generator_run", run)
        for arm in run.get("arms", []):
            yield arm


def _ax_values(data: Mapping[str, Any]) -> dict[tuple[int, str], dict[str, Any]]:
    """By trial and arm, each metric's mean and standard error: of the last data of each trial."""
    values: dict[tuple[int, str], dict[str, Any]] = {}
    for index, entry in data.items():
        by_time = entry.get("value", entry) if isinstance(entry, Mapping) else dict(entry)
        if not isinstance(by_time, Mapping):
            by_time = dict(by_time)
        if not by_time:
            continue
        last = by_time[max(by_time, key=lambda key: int(key))]
        frame = last["df"]["value"] if isinstance(last["df"], Mapping) else last["df"]
        columns = json.loads(frame) if isinstance(frame, str) else frame
        for row in columns["metric_name"]:
            sem = _number(str(columns.get("sem", {}).get(row)))
            arm = columns["arm_name"][row]
            name = columns["metric_name"][row]
            values.setdefault((int(index), arm), {})[name] = {"value": columns["mean"][row], "sem": sem}
    return values

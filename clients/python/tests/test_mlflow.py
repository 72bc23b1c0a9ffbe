"""MLflow: a run for each trial."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from mlflow.tracking import MlflowClient

import tellus
from tellus.mlflow import MlflowCallback


def test_each_trial_is_a_run(client, name, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    place = f"file:{tmp_path}/runs"

    def function(p):
        if p["kernel"] == "poly":
            raise RuntimeError("no")
        return p["x"]

    callback = MlflowCallback(tracking_uri=place, owner="ada")
    space = {"x": (0.0, 1.0), "kernel": ["rbf", "poly"]}
    result = tellus.minimize(function, space, trials=6, name=name, client=client, workers=2, callback=callback)
    tracking = MlflowClient(place)
    runs = tracking.search_runs([tracking.get_experiment_by_name(name).experiment_id])
    assert len(runs) == 6
    for run in runs:
        trial = result.study.get_trial(int(run.data.tags["tellus.trial"]))
        assert float(run.data.params["x"]) == trial["x"] and run.data.tags["owner"] == "ada"
        assert run.info.status == ("FAILED" if trial.state == "failed" else "FINISHED")
        assert run.data.metrics == trial.metrics


def test_an_experiment_is_made_once(name, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    place = f"file:{tmp_path}/runs"
    callback = MlflowCallback(tracking_uri=place)
    together = Barrier(8)

    def first_trial(_):
        together.wait()
        return callback._experiment_id(name)

    with ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(first_trial, range(8)))
    assert len(ids) == 1
    # Another process looked before it was there, and makes it now.
    assert {MlflowCallback(tracking_uri=place)._made(name)} == ids
    assert len(MlflowClient(place).search_experiments(filter_string=f"name = '{name}'")) == 1

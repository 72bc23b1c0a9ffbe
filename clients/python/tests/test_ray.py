"""Ray Tune's searcher."""

from ray import tune
from ray.tune.search import Searcher

from tellus.ray import TellusSearch

SPACE = {
    "lr": tune.loguniform(1e-4, 1),
    "width": tune.randint(1, 9),
    "drop": tune.quniform(0, 0.5, 0.1),
    "kind": tune.choice(["a", "b"]),
    "constant": 7,
}


def test_suggestions_are_told(client, name, tmp_path):
    search = TellusSearch(client=client, study_name=name, budget={"trials": 12})
    assert search.set_search_properties("loss", "min", SPACE)
    parameters = {p["name"]: p for p in client.study(name).record["parameters"]}
    assert parameters["lr"]["scale"] == "log" and parameters["width"]["high"] == 8
    assert parameters["drop"]["step"] == 0.1 and "constant" not in parameters
    for i in range(11):
        config = search.suggest(str(i))
        assert config["constant"] == 7 and config["kind"] in ("a", "b")
        result = {"loss": config["lr"] + config["width"]} if i != 4 else None
        search.on_trial_complete(str(i), result, error=i == 4)
    pending = search.suggest("11")
    assert search.suggest("12") == Searcher.FINISHED
    search.save(str(tmp_path / "state"))
    restored = TellusSearch(metric="loss", mode="min", client=client)
    restored.restore(str(tmp_path / "state"))
    restored.on_trial_complete("11", {"loss": pending["lr"]})
    states = [t.state for t in client.study(name).trials()]
    assert states == ["completed"] * 4 + ["failed"] + ["completed"] * 7


def test_a_run_of_rays(client, name, tmp_path):
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        search = TellusSearch(client=client, study_name=name)
        tuner = tune.Tuner(
            lambda config: {"loss": (config["lr"] - 0.1) ** 2 + config["width"]},
            param_space=SPACE,
            tune_config=tune.TuneConfig(
                search_alg=search, metric="loss", mode="min", num_samples=6, max_concurrent_trials=2
            ),
            run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
        )
        best = tuner.fit().get_best_result()
    finally:
        ray.shutdown()
    study = client.study(name)
    assert study.best().trial.value == best.metrics["loss"]
    assert [t.state for t in study.trials()] == ["completed"] * 6

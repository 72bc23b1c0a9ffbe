"""What was evaluated elsewhere."""

import json
from pathlib import Path

import pytest

import tellus

FIXTURES = Path(__file__).parent / "fixtures"


def test_an_experiment_of_axs(client, name):
    study = tellus.from_ax(FIXTURES / "ax.json", name=name, client=client)
    assert [(p["name"], p["type"]) for p in study.record["parameters"]] == [
        ("x", "float"),
        ("rate", "float"),
        ("n", "int"),
        ("kind", "categorical"),
    ]
    assert study.record["parameters"][1]["scale"] == "log"
    goals = {m["name"]: (m["goal"], m.get("upper")) for m in study.record["metrics"]}
    assert goals == {"loss": ("minimize", None), "mass": ("constrain", 3.0)}
    trials = list(study.trials())
    assert [t.state for t in trials] == ["completed", "completed", "failed"] + ["completed"] * 3
    for trial in trials:
        if trial.state == "completed":
            assert trial.metrics == {"loss": pytest.approx(trial["x"] ** 2), "mass": trial["n"]}
            assert trial.record["metrics"]["loss"]["sem"] == 0.1
    feasible = [t.metrics["loss"] for t in trials if t.metrics and t.metrics["mass"] <= 3]
    assert study.best().trial.metrics["loss"] == min(feasible)


def test_an_older_form_of_axs(client, name):
    saved = json.loads((FIXTURES / "ax.json").read_text())
    config = saved["experiment"]["optimization_config"]
    config["objective"] = {"__type": "Objective", "metric": {"name": "loss"}, "minimize": True}
    assert len(list(tellus.from_ax(saved, name=name, client=client).trials())) == 6
    config["objective"] = {"__type": "Objective", "expression": "2*loss + mass"}
    with pytest.raises(ValueError, match="weighted sum"):
        tellus.from_ax(saved, name=name + "b", client=client)
    with pytest.raises(ValueError, match="no Ax experiment"):
        tellus.from_ax({"a": 1}, client=client)


def test_a_table(client, name, tmp_path):
    table = tmp_path / "old.csv"
    table.write_text(
        "lr,Kernel,degree,loss,mass,why\n"
        '0.1,rbf,,3.5,1,\n0.2,poly,3,1.5,2,\n0.3,rbf,,,,"burnt, badly"\n7,rbf,,9,1,\n0.4,rbf,,nan,1,\n'
    )
    study = tellus.from_csv(
        table,
        {"lr": (0.0, 1.0), "kernel": ["rbf", "poly"], "degree": tellus.Int(2, 5, when={"kernel": "poly"})},
        {"loss": "minimize", "mass": "record"},
        name=name,
        client=client,
        columns={"kernel": "Kernel"},
        failed="why",
    )
    trials = list(study.trials())
    assert [t.state for t in trials] == ["completed", "completed", "failed", "completed", "failed"]
    assert trials[1].parameters == {"lr": 0.2, "kernel": "poly", "degree": 3}
    assert trials[2].record["reason"] == "burnt, badly"
    assert [t.record["outside"] for t in trials] == [False, False, False, True, False]
    assert study.best().trial.number == 1

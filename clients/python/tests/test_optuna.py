"""Optuna's own suite for samplers, run on `TellusSampler`, and what is taken over from Optuna's storages."""

import optuna
import pytest
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    MultiObjectiveSamplerTestCase,
    RelativeSamplerTestCase,
)

import tellus
from tellus.optuna import TRIAL_KEY, TellusSampler

pytestmark = pytest.mark.filterwarnings("ignore")


class TestTellusSampler(BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self, client):
        return lambda: TellusSampler(client)


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def branin(trial):
    x, y = trial.suggest_float("x", -5, 10), trial.suggest_float("y", 0, 15)
    trial.set_user_attr("seen", True)
    return (y - 0.129 * x * x + 1.6 * x - 6) ** 2 + 9.6 * __import__("math").cos(x) + 10


def test_suggestions_are_told_and_better_than_chance(client):
    study = optuna.create_study(sampler=TellusSampler(client, seed=1))
    study.optimize(branin, n_trials=30)
    assert study.best_value < 1.0
    linked = [t for t in study.trials if TRIAL_KEY in t.system_attrs]
    assert len(linked) == 29
    mirror = client.open(linked[0].system_attrs[TRIAL_KEY]["study"])
    assert {t.value for t in mirror.trials()} == {t.value for t in study.trials}
    assert "log_expected_improvement" in {t.record["origin"] for t in mirror.trials()}


def test_failures_prunings_and_constraints_are_told(client):
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        trial.set_user_attr("excess", x - 0.5)
        if trial.number == 3:
            raise RuntimeError("boom")
        if trial.number == 4:
            raise optuna.TrialPruned
        return x

    sampler = TellusSampler(client, constraints_func=lambda t: [t.user_attrs["excess"]])
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=15, catch=RuntimeError)
    link = study.trials[-1].system_attrs[TRIAL_KEY]
    mirror = client.open(link["study"])
    states = [t.state for t in mirror.trials()]
    assert states.count("failed") == 1 and states.count("stopped") == 1
    assert mirror.record["metrics"][-1] == {"name": "constraint_0", "goal": "constrain", "upper": 0.0}
    assert 0.3 < mirror.best().trial.value <= 0.5


def test_several_processes_share_a_storage(client, tmp_path):
    storage = f"sqlite:///{tmp_path}/optuna.db"
    first = optuna.create_study(storage=storage, study_name="shared", sampler=TellusSampler(client))
    first.optimize(branin, n_trials=6)
    second = optuna.load_study(storage=storage, study_name="shared", sampler=TellusSampler(client))
    second.optimize(branin, n_trials=6)
    links = [t.system_attrs[TRIAL_KEY] for t in second.trials if TRIAL_KEY in t.system_attrs]
    assert len({link["study"] for link in links}) == 1 and len({link["number"] for link in links}) == len(links)
    assert len(list(client.open(links[0]["study"]).trials())) == 12


def test_a_study_of_optunas_is_imported(client, name, tmp_path):
    def objective(trial):
        kernel = trial.suggest_categorical("kernel", ["rbf", "poly"])
        degree = trial.suggest_int("degree", 2, 5) if kernel == "poly" else 0
        c = trial.suggest_float("c", 1e-3, 1e3, log=True)
        trial.report(c, 0)
        if trial.number == 2:
            raise optuna.TrialPruned
        return c + degree

    storage = f"sqlite:///{tmp_path}/optuna.db"
    sampler = optuna.samplers.RandomSampler(seed=0)
    source = optuna.create_study(storage=storage, study_name="old", sampler=sampler, direction="maximize")
    source.optimize(objective, n_trials=20)
    study = tellus.from_optuna(storage, "old", name=name, client=client)
    assert next(p for p in study.record["parameters"] if p["name"] == "degree")["when"] == {"kernel": ["poly"]}
    trials = list(study.trials())
    assert [t.state for t in trials] == ["stopped" if i == 2 else "completed" for i in range(20)]
    assert study.best().trial.value == source.best_value
    assert trials[0].record["measurements"][0]["step"] == 0
    assert study.ask().number == 20

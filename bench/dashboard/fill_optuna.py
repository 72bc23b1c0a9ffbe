"""Writes trials (a JSON file of parameters and metrics) into an Optuna study: fill_optuna.py TRIALS DATABASE."""

import json
import sys

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

optuna.logging.set_verbosity(optuna.logging.ERROR)
DISTRIBUTIONS = {
    "learning_rate": FloatDistribution(1e-5, 1, log=True),
    "depth": IntDistribution(2, 12),
    "dropout": FloatDistribution(0, 0.6),
    "optimizer": CategoricalDistribution(["adam", "sgd", "rmsprop"]),
    "momentum": FloatDistribution(0, 0.99),
    "batch": CategoricalDistribution([16, 32, 64, 128, 256]),
}

trials, database = sys.argv[1:]
study = optuna.create_study(storage=f"sqlite:///{database}", study_name="bench")
with open(trials) as file:
    frozen = [
        optuna.trial.create_trial(
            params=trial["parameters"],
            distributions={name: DISTRIBUTIONS[name] for name in trial["parameters"]},
            value=trial["metrics"]["loss"],
        )
        for trial in json.load(file)
    ]
study.add_trials(frozen)

#!/usr/bin/env python3
"""Tunes gradient-boosted trees on scikit-learn's bundled diabetes data, by asking Tellus what to try next.

The objective is noisy: every trial splits the data into folds at random. Run it again with the same --name to go on
with the same study; a larger --trials extends it.

    pip install -r examples/requirements.txt
    python examples/tune_gradient_boosting.py --trials 40
"""

import argparse
import sys
import time
from typing import Any

from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.model_selection import KFold, cross_val_score

from tellus_http import TellusError, call

PARAMETERS = [
    {"name": "n_estimators", "type": "int", "low": 20, "high": 500, "scale": "log"},
    {"name": "learning_rate", "type": "float", "low": 0.005, "high": 1.0, "scale": "log"},
    {"name": "max_depth", "type": "int", "low": 1, "high": 8},
    {"name": "min_samples_leaf", "type": "int", "low": 1, "high": 60, "scale": "log"},
    {"name": "subsample", "type": "float", "low": 0.3, "high": 1.0},
    {"name": "max_features", "type": "float", "low": 0.1, "high": 1.0},
    {"name": "loss", "type": "categorical", "choices": ["squared_error", "absolute_error", "huber"]},
    {"name": "alpha", "type": "float", "low": 0.5, "high": 0.99, "when": {"loss": ["huber"]}},
]
PATIENTS, PROGRESSION = load_diabetes(return_X_y=True)


def rmse(parameters: dict[str, Any], split: int) -> float:
    """5-fold cross-validated root mean squared error, on folds drawn at random for this trial."""
    trees = GradientBoostingRegressor(**parameters, random_state=split)
    folds = KFold(5, shuffle=True, random_state=split)
    scoring = "neg_root_mean_squared_error"
    scores = cross_val_score(trees, PATIENTS, PROGRESSION, cv=folds, scoring=scoring, error_score="raise")
    return -float(scores.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="where the service is")
    parser.add_argument(
        "--name", default="boosting-on-diabetes", help="the study's name; the same name resumes it"
    )
    parser.add_argument(
        "--trials", type=int, default=40, help="how many trials the study is to have in the end"
    )
    parser.add_argument("--seed", type=int, default=0, help="the study's seed")
    options = parser.parse_args()

    # Creating a study that is already there, with the same definition, returns it.
    definition = {
        "name": options.name,
        "parameters": PARAMETERS,
        "metrics": [{"name": "rmse", "goal": "minimize"}],
        "seed": options.seed,
    }
    study = call("POST", f"{options.url}/v1/studies", definition)
    study_url = f"{options.url}/v1/studies/{study['id']}"
    done = study["trial_counts"]["completed"] + study["trial_counts"]["failed"]

    for _ in range(done, options.trials):
        # "sticky": what this worker was evaluating when it was interrupted comes back first.
        [trial] = call("POST", f"{study_url}/ask", {"worker": "tune_gradient_boosting", "sticky": True})[
            "trials"
        ]
        started = time.monotonic()
        try:
            value = rmse(trial["parameters"], split=trial["number"])
            outcome, result = {"metrics": {"rmse": value}}, f"rmse {value:.3f}"
        except Exception as error:  # the point itself did this: the service is to learn from it
            outcome, result = {"failed": repr(error)}, f"failed: {error!r}"
        call("POST", f"{study_url}/trials/{trial['number']}/tell", outcome)
        seconds = time.monotonic() - started
        print(f"{trial['number']:4}  {result}  {seconds:4.1f} s  {readable(trial['parameters'])}", flush=True)

    best = call("GET", f"{study_url}/best")
    if not best["trials"]:
        sys.exit(best["reason"])
    [winner] = best["trials"]
    print(f"best        rmse {winner['metrics']['rmse']['value']:.3f}, trial {winner['number']}")
    print(f"            {readable(winner['parameters'])}")
    recommended = best["recommended"]
    predicted = recommended["predicted"]["rmse"]
    print(f"recommended rmse {predicted['mean']:.3f} ± {predicted['sd']:.3f}, predicted")
    print(f"            {readable(recommended['parameters'])}")


def readable(parameters: dict[str, Any]) -> str:
    """The parameters on one line, floats to four digits."""
    shown = {
        name: f"{value:.4g}" if isinstance(value, float) else value for name, value in parameters.items()
    }
    return "  ".join(f"{name}={value}" for name, value in shown.items())


if __name__ == "__main__":
    try:
        main()
    except TellusError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from here")

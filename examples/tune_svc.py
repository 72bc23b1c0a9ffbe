#!/usr/bin/env python3
"""Tunes a support vector classifier on scikit-learn's bundled digits, by asking Tellus what to try next.

Two parameters are on log scales, one is categorical, and one exists only for one of its choices. Run it again with
the same --name to go on with the same study; a larger --trials extends it.

    pip install -r examples/requirements.txt
    python examples/tune_svc.py --trials 40
"""

import argparse
import sys
import time
from typing import Any

from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from tellus_http import TellusError, call

PARAMETERS = [
    {"name": "C", "type": "float", "low": 1e-3, "high": 1e3, "scale": "log"},
    {"name": "gamma", "type": "float", "low": 1e-5, "high": 10.0, "scale": "log"},
    {"name": "kernel", "type": "categorical", "choices": ["rbf", "poly", "sigmoid"]},
    {"name": "degree", "type": "int", "low": 2, "high": 5, "when": {"kernel": ["poly"]}},
]
PIXELS, DIGITS = load_digits(return_X_y=True)


def accuracy(parameters: dict[str, Any]) -> float:
    """5-fold cross-validated accuracy; the parameters are SVC's own arguments."""
    return float(cross_val_score(SVC(**parameters), PIXELS / 16, DIGITS, cv=5, error_score="raise").mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="where the service is")
    parser.add_argument("--name", default="svc-on-digits", help="the study's name; the same name resumes it")
    parser.add_argument(
        "--trials", type=int, default=40, help="how many trials the study is to have in the end"
    )
    parser.add_argument("--seed", type=int, default=0, help="the study's seed")
    options = parser.parse_args()

    # Creating a study that is already there, with the same definition, returns it.
    definition = {
        "name": options.name,
        "parameters": PARAMETERS,
        "metrics": [{"name": "accuracy", "goal": "maximize"}],
        "seed": options.seed,
    }
    study = call("POST", f"{options.url}/v1/studies", definition)
    study_url = f"{options.url}/v1/studies/{study['id']}"
    done = study["trial_counts"]["completed"] + study["trial_counts"]["failed"]

    for _ in range(done, options.trials):
        # "sticky": what this worker was evaluating when it was interrupted comes back first.
        [trial] = call("POST", f"{study_url}/ask", {"worker": "tune_svc", "sticky": True})["trials"]
        started = time.monotonic()
        try:
            value = accuracy(trial["parameters"])
            outcome, result = {"metrics": {"accuracy": value}}, f"accuracy {value:.4f}"
        except Exception as error:  # the point itself did this: the service is to learn from it
            outcome, result = {"failed": repr(error)}, f"failed: {error!r}"
        call("POST", f"{study_url}/trials/{trial['number']}/tell", outcome)
        seconds = time.monotonic() - started
        print(f"{trial['number']:4}  {result}  {seconds:4.1f} s  {readable(trial['parameters'])}", flush=True)

    best = call("GET", f"{study_url}/best")
    if not best["trials"]:
        sys.exit(best["reason"])
    [winner] = best["trials"]
    print(f"best        accuracy {winner['metrics']['accuracy']['value']:.4f}, trial {winner['number']}")
    print(f"            {readable(winner['parameters'])}")
    recommended = best["recommended"]
    predicted = recommended["predicted"]["accuracy"]
    print(f"recommended accuracy {predicted['mean']:.4f} ± {predicted['sd']:.4f}, predicted")
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

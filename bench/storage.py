#!/usr/bin/env python3
"""The time of an ask and a tell on SQLite where choosing the point costs next to nothing.

Tellus with its space-filling design, over HTTP, beside Optuna's RandomSampler with its default SQLite storage: ten
float parameters each, both databases in one directory, so on one disk. One client, one trial after the other.
"""

import argparse
import statistics
import tempfile
import time
import uuid
from pathlib import Path

import optuna

import results
from service import Connection, running_service

NAMES = [f"x{axis}" for axis in range(10)]
GOAL = 20


def time_tellus(directory: Path, trials: int) -> list[float]:
    """Seconds of each ask and tell together."""
    seconds = []
    with running_service(directory) as url:
        connection = Connection(url)
        study = connection.create_study(
            {
                "name": f"storage-{uuid.uuid4()}",
                "parameters": [{"name": name, "type": "float", "low": 0.0, "high": 1.0} for name in NAMES],
                "metrics": [{"name": "value", "goal": "minimize"}],
                "algorithm": {"acquisition": "space_filling"},
            }
        )
        for _ in range(trials):
            started = time.perf_counter()
            trial = connection.ask(study)
            connection.tell(study, trial["number"], value=sum(trial["parameters"].values()))
            seconds.append(time.perf_counter() - started)
    return seconds


def time_optuna(directory: Path, trials: int) -> list[float]:
    """Seconds of each ask and tell together."""
    seconds = []
    with tempfile.TemporaryDirectory(prefix="optuna-bench-", dir=directory) as scratch:
        study = optuna.create_study(
            storage=f"sqlite:///{scratch}/optuna.db", sampler=optuna.samplers.RandomSampler(seed=0)
        )
        for _ in range(trials):
            started = time.perf_counter()
            trial = study.ask()
            study.tell(trial, sum(trial.suggest_float(name, 0.0, 1.0) for name in NAMES))
            seconds.append(time.perf_counter() - started)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=500, help="Tellus's trials")
    parser.add_argument("--peer-trials", type=int, default=100, help="Optuna's trials")
    parser.add_argument(
        "--directory", type=Path, help="where both databases go; the system's temporary one if unset"
    )
    options = parser.parse_args()

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    samples = {
        "tellus": time_tellus(options.directory, options.trials),
        "optuna": time_optuna(options.directory, options.peer_trials),
    }
    medians = {name: statistics.median(seconds) for name, seconds in samples.items()}
    ratio = medians["optuna"] / medians["tellus"]
    results.write("storage.json", {"medians": medians, "ratio": ratio})

    print("| ask + tell on SQLite, 10 parameters | median | 99 % below |\n| --- | ---: | ---: |")
    for name, title in [("tellus", "Tellus over HTTP, space-filling"), ("optuna", "Optuna RandomSampler")]:
        high = statistics.quantiles(samples[name], n=100, method="inclusive")[98]
        print(f"| {title} | {1e3 * medians[name]:.2f} ms | {1e3 * high:.2f} ms |")
    print(f"\nTellus is {ratio:.1f} times faster (goal: at least {GOAL})")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""The time of one ask at 50 completed trials in 6 dimensions: Tellus over HTTP beside Optuna's GPSampler.

Each repeat makes a new history, random points of Hartmann-6, attaches it to a new study of either service, and asks
once. So no ask can be answered from a cache or start from the fit of an earlier one. Both run on one and the same
processor core, and were warmed up by a repeat that is not counted. The figure is the ask alone; the time to attach the
history is shown beside it, since work done there would be work not done in the ask.
"""

import os

# One thread each, set before numpy and torch read it.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import statistics
import time
import uuid

import numpy as np
import optuna

import results
from functions import FUNCTIONS
from service import Connection, service_at

FUNCTION = FUNCTIONS["hartmann6"]
NAMES = [f"x{axis}" for axis in range(FUNCTION.dimension)]
SIDES = list(zip(NAMES, FUNCTION.low, FUNCTION.high))
GOAL = 10

History = list[tuple[dict[str, float], float]]


def history(seed: int, trials: int) -> History:
    points = np.random.default_rng(seed).uniform(FUNCTION.low, FUNCTION.high, (trials, FUNCTION.dimension))
    return [(dict(zip(NAMES, point.tolist())), FUNCTION(point)) for point in points]


def time_tellus(connection: Connection, past: History, seed: int) -> tuple[float, float, str]:
    """Seconds to attach the history, seconds to ask, and what proposed the point."""
    study = connection.create_study(
        {
            "name": f"ask-latency-{uuid.uuid4()}",
            "parameters": [
                {"name": name, "type": "float", "low": low, "high": high} for name, low, high in SIDES
            ],
            "metrics": [{"name": "value", "goal": "minimize"}],
            "seed": seed,
        }
    )
    trials = [{"parameters": point, "metrics": {"value": value}} for point, value in past]
    started = time.perf_counter()
    connection.call("POST", f"{study}/trials", {"trials": trials})
    attached = time.perf_counter()
    trial = connection.ask(study)
    return attached - started, time.perf_counter() - attached, trial["origin"]


def time_optuna(past: History, seed: int) -> tuple[float, float]:
    """Seconds to add the history and seconds to ask."""
    space = {name: optuna.distributions.FloatDistribution(low, high) for name, low, high in SIDES}
    study = optuna.create_study(sampler=optuna.samplers.GPSampler(seed=seed))
    started = time.perf_counter()
    study.add_trials(
        [optuna.trial.create_trial(params=point, distributions=space, value=y) for point, y in past]
    )
    added = time.perf_counter()
    study.ask(space)
    return added - started, time.perf_counter() - added


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=50, help="how many completed trials the history has")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument(
        "--url", help="a Tellus that already runs; without it one is started on this script's core"
    )
    options = parser.parse_args()

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # The server that is started inherits this.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    samples: dict[str, list[float]] = {"tellus": [], "tellus_attach": [], "optuna": [], "optuna_attach": []}
    origins = set()
    with service_at(options.url) as url:
        connection = Connection(url)
        for seed in range(options.repeats + 1):
            past = history(seed, options.trials)
            tellus_attach, tellus, origin = time_tellus(connection, past, seed)
            optuna_attach, peer = time_optuna(past, seed)
            if seed > 0:  # the first repeat warms both up
                samples["tellus"].append(tellus)
                samples["tellus_attach"].append(tellus_attach)
                samples["optuna"].append(peer)
                samples["optuna_attach"].append(optuna_attach)
                origins.add(origin)

    medians = {name: statistics.median(seconds) for name, seconds in samples.items()}
    ratio = medians["optuna"] / medians["tellus"]
    answer = {"trials": options.trials, "origins": sorted(origins), "medians": medians, "ratio": ratio}
    results.write("ask_latency.json", {**answer, "samples": samples})

    print(f"one ask at {options.trials} trials of {FUNCTION.name}, median of {options.repeats} new histories")
    print(f"points proposed by: {', '.join(sorted(origins))}\n")
    print("| | ask, median | least … most | attach the history |\n| --- | ---: | ---: | ---: |")
    for name, title in [("tellus", "Tellus over HTTP"), ("optuna", "Optuna GPSampler")]:
        spread = f"{1e3 * min(samples[name]):.1f} … {1e3 * max(samples[name]):.1f} ms"
        attach = f"{1e3 * medians[name + '_attach']:.1f} ms"
        print(f"| {title} | {1e3 * medians[name]:.1f} ms | {spread} | {attach} |")
    print(f"\nTellus is {ratio:.1f} times faster (goal: at least {GOAL})")


if __name__ == "__main__":
    main()

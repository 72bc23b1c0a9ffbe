#!/usr/bin/env python3
"""The best feasible value that Tellus finds on constrained problems, over HTTP, beside Optuna's GPSampler.

50 trials, one worker; regret is the best feasible value less the known minimum. A finished run is kept in
results/raw/ and not repeated. Prints a table, and writes it as results/constrained.json.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import json
import math
import statistics
import sys
import time
import uuid
import warnings

import results
from constrained_functions import PROBLEMS, Constrained
from service import Connection, service_at

SMALLEST_REGRET = 1e-12
# Where nothing feasible was found.
NOTHING = 1e12


def regret(problem: Constrained, outcomes: list[list[float]]) -> float:
    feasible = [outcome[0] for outcome in outcomes if max(outcome[1:]) <= 0]
    return max(min(feasible) - problem.minimum, SMALLEST_REGRET) if feasible else NOTHING


def run_tellus(connection: Connection, problem: Constrained, seed: int, trials: int, acquisition: str):
    names = [f"x{axis}" for axis in range(len(problem.low))]
    bounded = [f"c{k}" for k in range(problem.constraints)]
    study = connection.create_study(
        {
            "name": f"constrained-{uuid.uuid4()}",
            "parameters": [
                {"name": name, "type": "float", "low": low, "high": high}
                for name, low, high in zip(names, problem.low, problem.high)
            ],
            "metrics": [
                {"name": "value", "goal": "minimize"},
                *({"name": name, "goal": "constrain", "upper": 0} for name in bounded),
            ],
            "algorithm": {"acquisition": acquisition},
            "seed": seed,
        }
    )
    outcomes, seconds = [], []
    for _ in range(trials):
        start = time.perf_counter()
        trial = connection.ask(study)
        seconds.append(time.perf_counter() - start)
        outcome = problem.formula([trial["parameters"][name] for name in names])
        outcomes.append(outcome)
        connection.tell(study, trial["number"], value=outcome[0], **dict(zip(bounded, outcome[1:])))
    return regret(problem, outcomes), seconds


def run_optuna(problem: Constrained, seed: int, trials: int):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    outcomes, seconds = [], []
    returned = time.perf_counter()
    sampler = optuna.samplers.GPSampler(seed=seed, constraints_func=lambda trial: trial.user_attrs["constraints"])
    study = optuna.create_study(sampler=sampler)

    def objective(trial) -> float:
        nonlocal returned
        sides = enumerate(zip(problem.low, problem.high))
        point = [trial.suggest_float(f"x{axis}", low, high) for axis, (low, high) in sides]
        seconds.append(time.perf_counter() - returned)
        outcome = problem.formula(point)
        outcomes.append(outcome)
        trial.set_user_attr("constraints", outcome[1:])
        returned = time.perf_counter()
        return outcome[0]

    study.optimize(objective, n_trials=trials)
    return regret(problem, outcomes), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--methods", nargs="+", default=["auto", "optuna"], help="acquisitions by name, and optuna")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--fresh", nargs="*", default=[], help="repeat the runs of these methods")
    parser.add_argument("--url", help="a Tellus that already runs; without it one is started")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    rows = []
    with service_at(options.url) as url:
        connection = Connection(url)
        for name in options.problems:
            for method in options.methods:
                regrets, seconds = [], []
                for seed in range(options.seeds):
                    run = f"{name}-{options.trials}-{seed}-{method}"
                    path = results.FOLDER / "raw" / "constrained" / f"{run}.json"
                    if not path.exists() or method in options.fresh:
                        if method == "optuna":
                            found, times = run_optuna(PROBLEMS[name], seed, options.trials)
                        else:
                            found, times = run_tellus(connection, PROBLEMS[name], seed, options.trials, method)
                        results.write(f"raw/constrained/{run}.json", {"regret": found, "seconds": times})
                        print(f"{run}: {found:.3g}, {sum(times):.1f} s", file=sys.stderr, flush=True)
                    kept = json.loads(path.read_text())
                    regrets.append(kept["regret"])
                    seconds += kept["seconds"]
                median = statistics.median(regrets)
                rows.append(
                    {
                        "problem": name,
                        "method": method,
                        "seeds": options.seeds,
                        "median_regret": median,
                        "log10_median_regret": math.log10(median),
                        "median_seconds": statistics.median(seconds),
                    }
                )
    results.write("constrained.json", {"plan": {"trials": options.trials, "seeds": options.seeds}, "rows": rows})
    print("| problem | method | median regret | log10 | s per ask |\n| --- | --- | ---: | ---: | ---: |")
    for row in rows:
        print(
            f"| {row['problem']} | {row['method']} | {row['median_regret']:.3g} "
            f"| {row['log10_median_regret']:.1f} | {row['median_seconds']:.4f} |"
        )


if __name__ == "__main__":
    main()

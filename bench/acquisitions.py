#!/usr/bin/env python3
"""Simple regret of each of Tellus's acquisition functions, over HTTP, beside random search and BoTorch's own.

One worker. For each function and seed the first points are the ones that Tellus's initial design hands out. With
`--noise` every value carries normal noise, as a share of the values' standard deviation over the box; then what is
scored is the true value at the point that a method recommends at the end: Tellus's `best`, of BoTorch the tried
point with the best posterior mean. A finished run is kept in results/raw/ and not repeated. Prints a table, and writes
it as results/acquisitions.json.
"""

import os

# One thread each, set before numpy and torch read it.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import json
import math
import statistics
import sys
import time
import uuid
import warnings

import numpy as np

import results
from functions import FUNCTIONS, Function
from service import Connection, service_at

SMALLEST_REGRET = 1e-12
OURS = [
    "log_expected_improvement",
    "noisy_expected_improvement",
    "knowledge_gradient",
    "max_value_entropy_search",
    "joint_entropy_search",
    "predictive_entropy_search",
    "random",
]
PEERS = ["botorch_logei", "botorch_qlognei", "botorch_qkg", "botorch_mes", "botorch_jes"]


class Problem:
    """A function with noise, which notes what was tried."""

    def __init__(self, function: Function, noise: float, seed: int):
        self.function = function
        self.random = np.random.default_rng([seed, 77])
        low, high = np.array(function.low), np.array(function.high)
        sample = np.random.default_rng(1).uniform(low, high, (1000, function.dimension))
        self.sd = noise * float(np.std([function(x) for x in sample])) if noise else 0.0
        self.points: list[list[float]] = []
        self.values: list[float] = []

    def __call__(self, point) -> float:
        value = self.function(point) + self.sd * self.random.standard_normal()
        self.points.append([float(x) for x in point])
        self.values.append(float(value))
        return self.values[-1]

    def regret(self, recommended) -> float:
        """Of the best point where there is no noise, of the recommended one where there is."""
        best = min(self.values) if self.sd == 0 else self.function(recommended)
        return max(best - self.function.minimum, SMALLEST_REGRET)


def run_tellus(connection: Connection, problem: Problem, seed: int, trials: int, initial: int, acquisition: str):
    function = problem.function
    names = [f"x{axis}" for axis in range(function.dimension)]
    definition = {
        "name": f"acquisitions-{uuid.uuid4()}",
        "parameters": [
            {"name": name, "type": "float", "low": low, "high": high}
            for name, low, high in zip(names, function.low, function.high)
        ],
        "metrics": [{"name": "value", "goal": "minimize"}],
        "algorithm": {"acquisition": acquisition, "initial_trials": initial},
        "seed": seed,
    }
    if acquisition == "random":
        del definition["algorithm"]["initial_trials"]
    study = connection.create_study(definition)
    seconds = []
    for number in range(trials):
        start = time.perf_counter()
        trial = connection.ask(study)
        if number >= initial:
            seconds.append(time.perf_counter() - start)
        connection.tell(study, trial["number"], value=problem([trial["parameters"][name] for name in names]))
    best = connection.call("GET", f"{study}/best")["recommended"]["parameters"]
    return problem.regret([best[name] for name in names]), seconds


def run_botorch(problem: Problem, seed: int, trials: int, initial: list, method: str):
    import torch
    from botorch.acquisition import qKnowledgeGradient, qLogNoisyExpectedImprovement
    from botorch.acquisition.analytic import LogExpectedImprovement
    from botorch.acquisition.joint_entropy_search import qJointEntropySearch
    from botorch.acquisition.max_value_entropy_search import qMaxValueEntropy
    from botorch.acquisition.utils import get_optimal_samples
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.optim import optimize_acqf
    from gpytorch.mlls import ExactMarginalLogLikelihood

    torch.set_default_dtype(torch.float64)
    torch.manual_seed(seed)
    function = problem.function
    low, high = torch.tensor(function.low), torch.tensor(function.high)
    d = function.dimension
    bounds = torch.stack([torch.zeros(d), torch.ones(d)])
    for point in initial:
        problem(point)
    seconds = []

    def fitted():
        x = (torch.tensor(problem.points) - low) / (high - low)
        y = -torch.tensor(problem.values).unsqueeze(-1)
        y = (y - y.mean()) / y.std().clamp_min(1e-9)
        model = SingleTaskGP(x, y)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        return model, x

    while len(problem.points) < trials:
        start = time.perf_counter()
        model, x = fitted()
        if method == "botorch_logei":
            acquisition = LogExpectedImprovement(model, best_f=model.posterior(x).mean.max())
        elif method == "botorch_qlognei":
            acquisition = qLogNoisyExpectedImprovement(model, x)
        elif method == "botorch_qkg":
            acquisition = qKnowledgeGradient(model, num_fantasies=32)
        elif method == "botorch_mes":
            acquisition = qMaxValueEntropy(model, torch.rand(1000, d))
        else:
            inputs, outputs = get_optimal_samples(model, bounds=bounds, num_optima=16)
            acquisition = qJointEntropySearch(model, inputs, outputs, estimation_type="LB")
        best, _ = optimize_acqf(acquisition, bounds, q=1, num_restarts=5, raw_samples=256)
        seconds.append(time.perf_counter() - start)
        problem((low + best.squeeze(0) * (high - low)).tolist())
    model, x = fitted()
    recommended = problem.points[int(model.posterior(x).mean.argmax())]
    return problem.regret(recommended), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = ["branin", "hartmann3", "hartmann6", "ackley5", "rosenbrock5", "levy8"]
    parser.add_argument("--functions", nargs="+", choices=FUNCTIONS, default=names)
    parser.add_argument("--methods", nargs="+", default=OURS + PEERS, help="Tellus's by name, and botorch_…")
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0, 0.1])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--initial", type=int, default=10)
    parser.add_argument("--fresh", nargs="*", default=[], help="repeat the runs of these methods")
    parser.add_argument("--url", help="a Tellus that already runs; without it one is started")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")

    rows = []
    with service_at(options.url) as url:
        connection = Connection(url)
        for name in options.functions:
            plain = FUNCTIONS[name]
            for noise in options.noise:
                for method in options.methods:
                    regrets, seconds = [], []
                    for seed in range(options.seeds):
                        function = plain.shifted(seed) if plain.is_centred else plain
                        run = f"{name}-{noise:g}-{options.trials}-{options.initial}-{seed}-{method}"
                        path = results.FOLDER / "raw" / "acquisitions" / f"{run}.json"
                        if not path.exists() or method in options.fresh:
                            problem = Problem(function, noise, seed)
                            if method.startswith("botorch"):
                                # Tellus's initial design depends on the space and the seed alone.
                                design = Problem(function, noise, seed)
                                run_tellus(
                                    connection, design, seed, options.initial, options.initial, "space_filling"
                                )
                                regret, times = run_botorch(problem, seed, options.trials, design.points, method)
                            else:
                                regret, times = run_tellus(
                                    connection, problem, seed, options.trials, options.initial, method
                                )
                            results.write(f"raw/acquisitions/{run}.json", {"regret": regret, "seconds": times})
                            print(f"{run}: {regret:.3g}, {sum(times):.1f} s", file=sys.stderr, flush=True)
                        kept = json.loads(path.read_text())
                        regrets.append(kept["regret"])
                        seconds += kept["seconds"]
                    median = statistics.median(regrets)
                    rows.append(
                        {
                            "function": name,
                            "noise": noise,
                            "method": method,
                            "seeds": options.seeds,
                            "median_regret": median,
                            "log10_median_regret": math.log10(median),
                            "median_seconds": statistics.median(seconds) if seconds else None,
                        }
                    )
    plan = {"trials": options.trials, "initial": options.initial, "seeds": options.seeds}
    results.write("acquisitions.json", {"plan": plan, "rows": rows})
    print("| function | noise | method | median regret | log10 | s per ask |\n| --- | ---: | --- | ---: | ---: | ---: |")
    for row in rows:
        asked = "" if row["median_seconds"] is None else f"{row['median_seconds']:.4f}"
        print(
            f"| {row['function']} | {row['noise']:g} | {row['method']} | {row['median_regret']:.3g} "
            f"| {row['log10_median_regret']:.2f} | {asked} |"
        )


if __name__ == "__main__":
    main()

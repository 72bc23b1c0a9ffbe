#!/usr/bin/env python3
"""Simple regret of `auto`, over HTTP, beside the optimizers that people use today, each with its own defaults.

One worker, every method with its own initial design, `TRIALS` trials, minimizers moved by the seed as `functions.py` tells
(those at a box's centre; `--shift all` moves all). Noisy functions give noisy values; their regret is that of the true
value of the point with the best noisy one, for every method alike. A finished run is kept in results/raw/peers/ and not
repeated, so that an interrupted comparison goes on where it stopped. Prints the tables and writes them as
results/peers.json and between the marks of RESULTS.md.
"""

import os

# One thread each, set before numpy and torch read it.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", RAYON_NUM_THREADS="1")

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import results
from functions import FUNCTIONS, Function
from service import Connection, service_at

SMALLEST_REGRET = 1e-12
RESULTS_PAGE = Path(__file__).resolve().parent / "RESULTS.md"
ENVIRONMENTS = Path(os.environ.get("PEER_ENVIRONMENTS", Path(__file__).resolve().parent / "environments"))
MARKS = ("<!-- peers: begin -->", "<!-- peers: end -->")


@dataclass(frozen=True)
class Problem:
    """A function, with the standard deviation of the noise that is added to its values."""

    name: str
    function: str
    noise: float = 0.0
    trials: int = 50


PROBLEMS = {
    problem.name: problem
    for problem in [
        *(Problem(name, name) for name in FUNCTIONS if not name.endswith("20")),
        Problem("ackley20", "ackley20", trials=100),
        Problem("hartmann6, noisy", "hartmann6", noise=0.1),
        Problem("branin, noisy", "branin", noise=3.0),
        Problem("levy4, noisy", "levy4", noise=2.0),
    ]
}


class Measure:
    """The function to minimize: notes the true value of each point, and the time between two evaluations."""

    def __init__(self, function: Function, noise: float, seed: int):
        self.function = function
        self.noise = noise
        self.random = np.random.default_rng([seed, 77])
        self.true, self.seen, self.seconds = [], [], []
        self.returned = time.process_time()

    def __call__(self, point) -> float:
        self.seconds.append(time.process_time() - self.returned)
        value = self.function(point)
        self.true.append(value)
        self.seen.append(value + self.noise * float(self.random.standard_normal()))
        self.returned = time.process_time()
        return self.seen[-1]

    def regret(self) -> float:
        best = int(np.argmin(self.seen))
        return max(self.true[best] - self.function.minimum, SMALLEST_REGRET)


def names_of(function: Function) -> list[str]:
    return [f"x{axis}" for axis in range(function.dimension)]


def run_tellus(measure: Measure, seed: int, trials: int, connection: Connection) -> None:
    function = measure.function
    names = names_of(function)
    study = connection.create_study(
        {
            "name": f"peers-{function.name}-{seed}-{uuid.uuid4()}",
            "parameters": [
                {"name": name, "type": "float", "low": low, "high": high}
                for name, low, high in zip(names, function.low, function.high)
            ],
            "metrics": [{"name": "value", "goal": "minimize"}],
            "seed": seed,
        }
    )
    for _ in range(trials):
        trial = connection.ask(study)
        connection.tell(study, trial["number"], value=measure([trial["parameters"][name] for name in names]))


def run_optuna(sampler: str) -> Callable[..., None]:
    def run(measure: Measure, seed: int, trials: int, _: Connection) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        function = measure.function
        sides = list(zip(names_of(function), function.low, function.high))
        study = optuna.create_study(sampler=getattr(optuna.samplers, sampler)(seed=seed))
        study.optimize(
            lambda trial: measure([trial.suggest_float(*side) for side in sides]), n_trials=trials
        )

    return run


def run_skopt(measure: Measure, seed: int, trials: int, _: Connection) -> None:
    from skopt import gp_minimize

    sides = list(zip(measure.function.low, measure.function.high))
    gp_minimize(measure, sides, n_calls=trials, random_state=seed)


def run_egobox(measure: Measure, seed: int, trials: int, _: Connection) -> None:
    import egobox

    function = measure.function
    initial = max(function.dimension + 1, 5)
    egor = egobox.Egor([list(side) for side in zip(function.low, function.high)], n_doe=initial, seed=seed)
    egor.minimize(lambda points: np.array([[measure(point)] for point in points]), max_iters=trials - initial)


def run_ngopt(measure: Measure, seed: int, trials: int, _: Connection) -> None:
    import nevergrad

    function = measure.function
    space = nevergrad.p.Array(shape=(function.dimension,), lower=function.low, upper=function.high)
    space.random_state.seed(seed)
    nevergrad.optimizers.NGOpt(space, budget=trials).minimize(lambda point: measure(point))


def run_botorch(measure: Measure, seed: int, trials: int, _: Connection) -> None:
    """qLogNoisyExpectedImprovement on a SingleTaskGP, 2·d Sobol points first: the loop of BoTorch's tutorials."""
    import torch
    from botorch.acquisition import qLogNoisyExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.models.transforms import Standardize
    from botorch.optim import optimize_acqf
    from botorch.utils.sampling import draw_sobol_samples
    from gpytorch.mlls import ExactMarginalLogLikelihood

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    function = measure.function
    low, high = np.array(function.low), np.array(function.high)
    box = torch.stack([torch.zeros(len(low)), torch.ones(len(low))]).double()
    x = draw_sobol_samples(box, 2 * len(low), 1, seed=seed).squeeze(1).double()
    y = torch.tensor([[-measure(low + point.numpy() * (high - low))] for point in x]).double()
    while len(y) < trials:
        model = SingleTaskGP(x, y, outcome_transform=Standardize(1))
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        acquisition = qLogNoisyExpectedImprovement(model, x)
        point, _ = optimize_acqf(acquisition, box, q=1, num_restarts=10, raw_samples=256)
        x = torch.cat([x, point])
        y = torch.cat([y, torch.tensor([[-measure(low + point[0].numpy() * (high - low))]]).double()])


def run_alone(method: str) -> Callable[..., None]:
    """In a virtual environment of its own, `environments/METHOD`, by `peer_alone.py`."""

    def run(measure: Measure, seed: int, trials: int, _: Connection) -> None:
        python = ENVIRONMENTS / method / "bin" / "python"
        if not python.exists():
            sys.exit(f"{method} needs an environment: README.md tells how to make {python.parent.parent}")
        function = measure.function
        with subprocess.Popen(
            [str(python), str(Path(__file__).with_name("peer_alone.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
        ) as peer:
            task = {"method": method, "seed": seed, "trials": trials}
            peer.stdin.write(json.dumps({**task, "low": list(function.low), "high": list(function.high)}) + "\n")
            for line in peer.stdout:
                answer = json.loads(line)
                if "point" not in answer:
                    measure.seconds = [answer["cpu_seconds"]]
                    break
                peer.stdin.write(json.dumps({"value": measure(answer["point"])}) + "\n")
        if len(measure.seen) < trials:
            sys.exit(f"{method} ended after {len(measure.seen)} of {trials} trials; run peer_alone.py by hand")

    return run


def run_random(measure: Measure, seed: int, trials: int, _: Connection) -> None:
    random = np.random.default_rng(seed)
    for point in random.uniform(measure.function.low, measure.function.high, (trials, measure.function.dimension)):
        measure(point)


METHODS: dict[str, tuple[str, Callable[..., None]]] = {
    "tellus": ("Tellus", run_tellus),
    "egobox": ("egobox", run_egobox),
    "ngopt": ("NGOpt", run_ngopt),
    "botorch": ("BoTorch qLogNEI", run_botorch),
    "optuna-gp": ("Optuna GP", run_optuna("GPSampler")),
    "optuna-tpe": ("Optuna TPE", run_optuna("TPESampler")),
    "ax": ("Ax", run_alone("ax")),
    "hebo": ("HEBO", run_alone("hebo")),
    "smac": ("SMAC3", run_alone("smac")),
    "vizier": ("OSS Vizier", run_alone("vizier")),
    "skopt": ("scikit-optimize", run_skopt),
    "random": ("random", run_random),
}


def kept(problem: Problem, method: str, seed: int, make: Callable[[], dict]) -> dict:
    """A finished run's result, made where there is none."""
    name = f"raw/peers/{problem.name.replace(', ', '-')}-{problem.trials}-{seed}-{method}.json"
    path = results.FOLDER / name
    if not path.exists():
        results.write(name, make())
    return json.loads(path.read_text())


def run(problem: Problem, method: str, seed: int, connection: Connection, shift: str) -> dict:
    plain = FUNCTIONS[problem.function]
    function = plain.shifted(seed) if shift == "all" or plain.is_centred else plain
    measure = Measure(function, problem.noise, seed)
    METHODS[method][1](measure, seed, problem.trials, connection)
    del measure.true[problem.trials :], measure.seen[problem.trials :]
    return {"regret": measure.regret(), "cpu_seconds": sum(measure.seconds) / problem.trials}


def ranks(values: dict[str, float]) -> dict[str, float]:
    """Ranks from 1, the mean of those that equal values share."""
    return {
        method: 1
        + sum(other < value for other in values.values())
        + 0.5 * (sum(other == value for other in values.values()) - 1)
        for method, value in values.items()
    }


def tables(medians: dict[str, dict[str, float]], methods: list[str], seeds: int) -> str:
    titles = [METHODS[method][0] for method in methods]
    lines = [
        f"Median log10 simple regret, {seeds} seeds, one worker; the best of each row is bold.",
        "",
        "| problem (trials) | " + " | ".join(titles) + " |",
        "| --- |" + " ---: |" * len(methods),
    ]
    total = dict.fromkeys(methods, 0.0)
    for name, row in medians.items():
        best = min(row.values())
        cells = [f"**{row[m]:.2f}**" if row[m] == best else f"{row[m]:.2f}" for m in methods]
        lines.append(f"| {name} ({PROBLEMS[name].trials}) | " + " | ".join(cells) + " |")
        for method, rank in ranks(row).items():
            total[method] += rank / len(medians)
    lines.append("| average rank | " + " | ".join(f"{total[method]:.2f}" for method in methods) + " |")
    return "\n".join(lines)


def write_page(table: str) -> None:
    """Replaces what stands between the marks of the page, or begins the page."""
    begin, end = MARKS
    page = RESULTS_PAGE.read_text() if RESULTS_PAGE.exists() else "# Results\n"
    if begin not in page:
        page += f"\n## Against its peers\n\n`peers.py`.\n\n{begin}\n{end}\n"
    head, rest = page.split(begin)
    RESULTS_PAGE.write_text(f"{head}{begin}\n{table}\n{end}{rest.split(end)[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 to SEEDS - 1")
    parser.add_argument("--shift", choices=["centred", "all"], default="centred")
    parser.add_argument("--url", help="a Tellus that already runs; without it one is started")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")

    medians: dict[str, dict[str, float]] = {}
    with service_at(options.url) as url:
        connection = Connection(url)
        for name in options.problems:
            problem, row = PROBLEMS[name], {}
            for method in options.methods:
                made = [
                    kept(problem, method, seed, lambda: run(problem, method, seed, connection, options.shift))
                    for seed in range(options.seeds)
                ]
                row[method] = math.log10(statistics.median(result["regret"] for result in made))
                print(f"{name} {method}: {row[method]:.2f}", file=sys.stderr, flush=True)
            medians[name] = row
    table = tables(medians, options.methods, options.seeds)
    results.write("peers.json", {"seeds": options.seeds, "log10_median_regret": medians})
    write_page(table)
    print(table)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Simple regret of Tellus, over HTTP, beside scikit-optimize's gp_minimize and Optuna's GPSampler.

One worker, every method with its defaults. For each function and seed the first points that Tellus hands out, its
initial design, are also the initial points of both peers. A finished run is kept in results/raw/ and not repeated;
a peer's run is repeated when its initial points have changed. Prints a table, and writes it as results/regret.json.
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
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import results
from functions import FUNCTIONS, Function
from service import Connection, service_at

# Regret below this is rounding.
SMALLEST_REGRET = 1e-12

Point = list[float]


@dataclass(frozen=True)
class Plan:
    """What is the same for every method."""

    trials: int
    initial: int
    acquisition: str


@dataclass
class Run:
    """One method on one function with one seed."""

    points: list[Point]
    values: list[float]
    # For each point past the initial ones: from a measured value to the next point.
    seconds: list[float]


class Stopwatch:
    """The function to minimize, noting what was evaluated and how long the method took before each evaluation."""

    def __init__(self, function: Function, initial: int):
        self.function = function
        self.initial = initial
        self.run = Run([], [], [])
        self.returned = time.perf_counter()

    def __call__(self, point: Point) -> float:
        if len(self.run.points) >= self.initial:
            self.run.seconds.append(time.perf_counter() - self.returned)
        self.run.points.append([float(coordinate) for coordinate in point])
        self.run.values.append(self.function(point))
        self.returned = time.perf_counter()
        return self.run.values[-1]


def run_tellus(connection: Connection, function: Function, seed: int, plan: Plan) -> Run:
    names = [f"x{axis}" for axis in range(function.dimension)]
    study = connection.create_study(
        {
            "name": f"regret-{function.name}-{seed}-{uuid.uuid4()}",
            "parameters": [
                {"name": name, "type": "float", "low": low, "high": high}
                for name, low, high in zip(names, function.low, function.high)
            ],
            "metrics": [{"name": "value", "goal": "minimize"}],
            "algorithm": {"acquisition": plan.acquisition, "initial_trials": plan.initial},
            "seed": seed,
        }
    )
    measure = Stopwatch(function, plan.initial)
    for _ in range(plan.trials):
        trial = connection.ask(study)
        value = measure([trial["parameters"][name] for name in names])
        connection.tell(study, trial["number"], value=value)
    return measure.run


def run_skopt(function: Function, seed: int, plan: Plan, initial: list[Point]) -> Run:
    from skopt import gp_minimize

    measure = Stopwatch(function, plan.initial)
    # Told as x0 and y0, the initial points count neither as calls nor as initial points of its own.
    gp_minimize(
        measure,
        list(zip(function.low, function.high)),
        x0=initial,
        y0=[measure(point) for point in initial],
        n_initial_points=0,
        n_calls=plan.trials - plan.initial,
        random_state=seed,
    )
    return measure.run


def run_optuna(function: Function, seed: int, plan: Plan, initial: list[Point]) -> Run:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    names = [f"x{axis}" for axis in range(function.dimension)]
    measure = Stopwatch(function, plan.initial)
    sampler = optuna.samplers.GPSampler(seed=seed, n_startup_trials=plan.initial)
    study = optuna.create_study(sampler=sampler)
    for point in initial:
        study.enqueue_trial(dict(zip(names, point)))

    def objective(trial: optuna.Trial) -> float:
        sides = zip(names, function.low, function.high)
        return measure([trial.suggest_float(name, low, high) for name, low, high in sides])

    study.optimize(objective, n_trials=plan.trials)
    return measure.run


PEERS: dict[str, Callable[[Function, int, Plan, list[Point]], Run]] = {
    "skopt": run_skopt,
    "optuna": run_optuna,
}
TITLES = {"tellus": "Tellus", "skopt": "scikit-optimize gp_minimize", "optuna": "Optuna GPSampler"}


class Archive:
    """The finished runs, a file each. A run belongs to the plan that it was made with."""

    def __init__(self, plan: Plan, fresh: list[str]):
        self.plan = plan
        self.fresh = fresh

    def name(self, function: Function, seed: int, method: str) -> str:
        """The file's name within the results."""
        if method == "tellus":
            method += f"-{self.plan.acquisition}"
        moved = "" if function.delta is None else "-shifted"
        return (
            f"raw/regret/{function.name}{moved}-{self.plan.trials}-{self.plan.initial}-{seed}-{method}.json"
        )

    def load(self, function: Function, seed: int, method: str, initial: list[Point] | None) -> Run | None:
        path = results.FOLDER / self.name(function, seed, method)
        if method in self.fresh or not path.exists():
            return None
        run = Run(**json.loads(path.read_text()))
        return run if initial is None or run.points[: len(initial)] == initial else None

    def save(self, function: Function, seed: int, method: str, run: Run) -> None:
        results.write(self.name(function, seed, method), asdict(run))


def regret(function: Function, run: Run) -> float:
    return max(min(run.values) - function.minimum, SMALLEST_REGRET)


def compare(
    connection: Connection, function: Function, seed: int, methods: list[str], plan: Plan, archive: Archive
) -> Iterator[tuple[str, Run]]:
    """Yields each method's run, Tellus's first: its initial points are everyone's."""
    initial = None
    for method in methods:
        run = archive.load(function, seed, method, initial)
        kept = run is not None
        if run is None:
            if method == "tellus":
                run = run_tellus(connection, function, seed, plan)
            else:
                run = PEERS[method](function, seed, plan, initial)
            archive.save(function, seed, method, run)
        if method == "tellus":
            initial = run.points[: plan.initial]
        progress = f"{function.name} seed {seed} {method}: regret {regret(function, run):.3g}"
        print(progress + (" (kept)" if kept else f", {sum(run.seconds):.1f} s"), file=sys.stderr, flush=True)
        yield method, run


def summary(title: str, method: str, function: Function, runs: dict[int, Run]) -> dict:
    """A row of the table; a shift doesn't change the minimum, so any seed's function will do."""
    regrets = {seed: regret(function, run) for seed, run in runs.items()}
    median = statistics.median(regrets.values())
    return {
        "function": title,
        "method": method,
        "median_regret": median,
        "log10_median_regret": math.log10(median),
        "regrets": regrets,
        "median_seconds": statistics.median(seconds for run in runs.values() for seconds in run.seconds),
    }


def table(rows: list[dict]) -> str:
    lines = [
        "| function | method | median regret | log10 | least … most | s per suggestion |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        regrets = row["regrets"].values()
        lines.append(
            f"| {row['function']} | {TITLES[row['method']]} | {row['median_regret']:.3g} "
            f"| {row['log10_median_regret']:.2f} | {min(regrets):.2g} … {max(regrets):.2g} "
            f"| {row['median_seconds']:.4f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = ["branin", "hartmann3", "hartmann6", "ackley5"]
    parser.add_argument("--functions", nargs="+", choices=FUNCTIONS, default=names)
    parser.add_argument("--methods", nargs="+", choices=PEERS, default=list(PEERS), help="which peers to run")
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 to SEEDS - 1")
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument(
        "--initial", type=int, default=10, help="initial points; 10 is both peers' own default"
    )
    parser.add_argument("--acquisition", default="auto", help="Tellus's acquisition function")
    parser.add_argument(
        "--shift",
        choices=["centred", "all", "none"],
        default="centred",
        help="which functions' minimizers to move by the seed: those at the centre of their box, all, or none",
    )
    parser.add_argument(
        "--fresh", nargs="*", choices=TITLES, help="repeat the runs of these methods; of all if none"
    )
    parser.add_argument("--url", help="a Tellus that already runs; without it one is started")
    options = parser.parse_args()

    plan = Plan(options.trials, options.initial, options.acquisition)
    fresh = list(TITLES) if options.fresh == [] else options.fresh or []
    archive = Archive(plan, fresh)
    methods = ["tellus", *(method for method in PEERS if method in options.methods)]
    # The peers warn of what their defaults do; nothing here is a fault of the comparison's.
    warnings.filterwarnings("ignore", module="skopt|sklearn|optuna")

    rows = []
    with service_at(options.url) as url:
        connection = Connection(url)
        for name in options.functions:
            runs: dict[str, dict[int, Run]] = {method: {} for method in methods}
            plain = FUNCTIONS[name]
            moves = options.shift == "all" or (options.shift == "centred" and plain.is_centred)
            for seed in range(options.seeds):
                function = plain.shifted(seed) if moves else plain
                for method, run in compare(connection, function, seed, methods, plan, archive):
                    runs[method][seed] = run
            title = f"{name}, shifted" if moves else name
            rows += [summary(title, method, function, runs[method]) for method in methods]

    results.write("regret.json", {"plan": asdict(plan), "rows": rows})
    print(table(rows))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""The hypervolume that Tellus's trials dominate, over HTTP, beside BoTorch's qLogNEHVI and random search.

BraninCurrin, DTLZ2 with two and three objectives, and VehicleSafety as BoTorch defines them, with its reference points.
One worker. A finished run is kept in results/raw/ and not repeated. Prints a table, and writes it as
results/multi_objective.json.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import json
import statistics
import sys
import time
import uuid
import warnings

import results
from service import Connection, service_at

OURS = ["expected_hypervolume_improvement", "noisy_expected_hypervolume_improvement", "auto", "random"]


def problem_of(name: str):
    """BoTorch's problem, to be maximized."""
    from botorch.test_functions.multi_objective import DTLZ2, BraninCurrin, VehicleSafety

    return {
        "branin_currin": lambda: BraninCurrin(negate=True),
        "dtlz2_2": lambda: DTLZ2(dim=6, num_objectives=2, negate=True),
        "dtlz2_3": lambda: DTLZ2(dim=6, num_objectives=3, negate=True),
        "vehicle_safety": lambda: VehicleSafety(negate=True),
    }[name]()


def hypervolume(problem, outcomes) -> float:
    import torch
    from botorch.utils.multi_objective.box_decompositions.dominated import DominatedPartitioning

    reference = torch.as_tensor(problem.ref_point).double()
    return DominatedPartitioning(reference, torch.stack(outcomes)).compute_hypervolume().item()


def evaluate(problem, point):
    import torch

    return problem(torch.tensor(point, dtype=torch.double).unsqueeze(0)).squeeze(0)


def run_tellus(connection: Connection, problem, seed: int, trials: int, acquisition: str):
    bounds = problem.bounds.double().T.tolist()
    names = [f"x{axis}" for axis in range(len(bounds))]
    reference = [float(r) for r in problem.ref_point]
    study = connection.create_study(
        {
            "name": f"front-{uuid.uuid4()}",
            "parameters": [
                {"name": name, "type": "float", "low": low, "high": high}
                for name, (low, high) in zip(names, bounds)
            ],
            "metrics": [
                {"name": f"f{k}", "goal": "maximize", "reference": r} for k, r in enumerate(reference)
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
        outcomes.append(evaluate(problem, [trial["parameters"][name] for name in names]))
        told = {f"f{k}": value for k, value in enumerate(outcomes[-1].tolist())}
        connection.tell(study, trial["number"], **told)
    return hypervolume(problem, outcomes), seconds


def run_botorch(problem, seed: int, trials: int, initial: int):
    import torch
    from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import ModelListGP, SingleTaskGP
    from botorch.models.transforms import Standardize
    from botorch.optim import optimize_acqf
    from botorch.utils.sampling import draw_sobol_samples
    from gpytorch.mlls import SumMarginalLogLikelihood

    torch.set_default_dtype(torch.float64)
    torch.manual_seed(seed)
    low, high = problem.bounds.double()
    unit = torch.stack([torch.zeros(problem.dim), torch.ones(problem.dim)])
    x = draw_sobol_samples(unit, n=initial, q=1, seed=seed).squeeze(1)
    outcomes = [evaluate(problem, point) for point in (low + x * (high - low)).tolist()]
    seconds = []
    while len(outcomes) < trials:
        start = time.perf_counter()
        y = torch.stack(outcomes)
        models = [SingleTaskGP(x, y[:, [k]], outcome_transform=Standardize(1)) for k in range(y.shape[1])]
        model = ModelListGP(*models)
        fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
        reference = torch.as_tensor(problem.ref_point).double()
        acquisition = qLogNoisyExpectedHypervolumeImprovement(model, ref_point=reference, X_baseline=x, prune_baseline=True)
        best, _ = optimize_acqf(acquisition, unit, q=1, num_restarts=5, raw_samples=256)
        seconds.append(time.perf_counter() - start)
        x = torch.cat([x, best])
        outcomes.append(evaluate(problem, (low + best.squeeze(0) * (high - low)).tolist()))
    return hypervolume(problem, outcomes), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    problems = ["branin_currin", "dtlz2_2", "dtlz2_3", "vehicle_safety"]
    parser.add_argument("--problems", nargs="+", choices=problems, default=problems)
    parser.add_argument("--methods", nargs="+", default=[*OURS, "botorch"], help="acquisitions by name, and botorch")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--fresh", nargs="*", default=[], help="repeat the runs of these methods")
    parser.add_argument("--url", help="a Tellus that already runs; without it one is started")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    rows = []
    with service_at(options.url) as url:
        connection = Connection(url)
        for name in options.problems:
            problem = problem_of(name)
            for method in options.methods:
                volumes, seconds = [], []
                for seed in range(options.seeds):
                    run = f"{name}-{options.trials}-{seed}-{method}"
                    path = results.FOLDER / "raw" / "multi_objective" / f"{run}.json"
                    if not path.exists() or method in options.fresh:
                        if method == "botorch":
                            volume, times = run_botorch(problem, seed, options.trials, 2 * problem.dim)
                        else:
                            volume, times = run_tellus(connection, problem, seed, options.trials, method)
                        results.write(f"raw/multi_objective/{run}.json", {"volume": volume, "seconds": times})
                        print(f"{run}: {volume:.4g}, {sum(times):.1f} s", file=sys.stderr, flush=True)
                    kept = json.loads(path.read_text())
                    volumes.append(kept["volume"])
                    seconds += kept["seconds"]
                rows.append(
                    {
                        "problem": name,
                        "method": method,
                        "seeds": options.seeds,
                        "median_hypervolume": statistics.median(volumes),
                        "median_seconds": statistics.median(seconds),
                    }
                )
    plan = {"trials": options.trials, "seeds": options.seeds}
    results.write("multi_objective.json", {"plan": plan, "rows": rows})
    print("| problem | method | median hypervolume | s per ask |\n| --- | --- | ---: | ---: |")
    for row in rows:
        print(
            f"| {row['problem']} | {row['method']} | {row['median_hypervolume']:.4g} | {row['median_seconds']:.4f} |"
        )


if __name__ == "__main__":
    main()

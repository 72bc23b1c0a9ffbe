"""The surrogate beside GPyTorch, scikit-learn and egobox: how well it predicts, and how long it takes.

    .venv/bin/python bench/surrogate.py calibration    # 15 min
    .venv/bin/python bench/surrogate.py speed          # 10 min

Tellus's surrogate runs in the program of bench/advisor (its model.rs), one process for all cases, one thread. GPyTorch's
model is BoTorch's SingleTaskGP with a Matern-5/2 kernel and the same priors (Hvarfner et al. 2024), outputs
standardized; its fit is the best of 5 restarts in `calibration`, and one `fit_gpytorch_mll` in `speed`. Needs botorch,
gpytorch, scikit-learn, and egobox beside bench/requirements.txt. Writes bench/results/surrogate.json.

Held-out log density is in units of the standardized outcome, higher is better; the share of held-out values inside
the central 50, 90 and 99 % intervals should be just that.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", RAYON_NUM_THREADS="1")

import argparse
import json
import pathlib
import subprocess
import tempfile
import time
import warnings

import numpy as np
import scipy.stats
import sklearn.datasets
import torch

warnings.filterwarnings("ignore")
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

HERE = pathlib.Path(__file__).parent
RESULTS = HERE / "results" / "surrogate.json"
RESTARTS = 5


def hartmann6(x):
    a = np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]])
    p = 1e-4 * np.array([[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
                         [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]])
    inner = (a[None] * (x[:, None] - p[None]) ** 2).sum(-1)
    return -(np.array([1.0, 1.2, 3.0, 3.2]) * np.exp(-inner)).sum(-1)


def branin(x):
    a, b = 15 * x[:, 0] - 5, 15 * x[:, 1]
    return (b - 5.1 * a**2 / (4 * np.pi**2) + 5 * a / np.pi - 6) ** 2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10


def friedman(x):
    return 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]


def rosenbrock(x):
    z = 15 * x - 5
    return (100 * (z[:, 1:] - z[:, :-1] ** 2) ** 2 + (1 - z[:, :-1]) ** 2).sum(-1)


def learning_rate(x):
    """Like a validation loss over a log learning rate, a log weight decay and momentum: a flat part, a valley, a cliff."""
    return 0.1 + np.exp(-4 * x[:, 0]) + 3 / (1 + np.exp(-40 * (x[:, 0] - 0.8 + 0.1 * x[:, 2]))) + 0.2 * (x[:, 1] - 0.4) ** 2


#: name: (function, dimension, standard deviation of the noise in units of the outcomes', training points)
SYNTHETIC = {
    "branin": (branin, 2, 0.0, 30),
    "branin, noisy": (branin, 2, 0.2, 60),
    "hartmann6": (hartmann6, 6, 0.0, 80),
    "friedman, noisy": (friedman, 10, 0.2, 100),
    "rosenbrock5": (rosenbrock, 5, 0.0, 80),
    "learning rate": (learning_rate, 3, 0.02, 50),
}


def real():
    """Data that ship with scikit-learn, each with a column to be predicted from the others."""
    x, y = sklearn.datasets.load_diabetes(return_X_y=True)
    yield "diabetes", x, y
    wine = sklearn.datasets.load_wine().data
    yield "wine: alcohol", wine[:, 1:], wine[:, 0]
    iris = sklearn.datasets.load_iris().data
    yield "iris: petal width", iris[:, :3], iris[:, 3]
    cancer = sklearn.datasets.load_breast_cancer().data
    yield "cells: fractal dimension", cancer[:, :9], cancer[:, 9]


def splits(seeds):
    """(name, seed, training inputs and outcomes, held-out ones); inputs in the unit cube, outcomes standardized."""
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        for name, (function, dimension, noise, count) in SYNTHETIC.items():
            x = rng.random((count + 200, dimension))
            y = function(x)
            y = y + noise * y.std() * rng.standard_normal(len(y))
            yield name, seed, scaled(x, y, count)
        for name, x, y in real():
            order = rng.permutation(len(y))
            x, y = x[order], y[order]
            x = (x - x.min(0)) / (x.max(0) - x.min(0))
            yield name, seed, scaled(x, y, min(150, len(y) * 2 // 3))


def scaled(x, y, count):
    y = (y - y[:count].mean()) / y[:count].std()
    return x[:count], y[:count], x[count : count + 200], y[count : count + 200]


def ours(cases):
    """What bench/advisor's `model` says of each case."""
    program = os.environ.get("ADVISOR_BENCH", str(HERE / "advisor/target/release/advisor-bench"))
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for case in cases:
            file.write(json.dumps(case) + "\n")
        file.flush()
        out = subprocess.run([program, "model", file.name], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def case(x, y, points, truths, form, repeats=1):
    return {"dimension": x.shape[1], "inputs": x.ravel().tolist(), "values": y.tolist(), "points": points.ravel().tolist(),
            "truths": truths.tolist(), "form": form, "repeats": repeats}


def gpytorch_model(x, y):
    import botorch
    import gpytorch
    from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior

    kernel = get_covar_module_with_dim_scaled_prior(ard_num_dims=x.shape[1], use_rbf_kernel=False)
    model = botorch.models.SingleTaskGP(torch.tensor(x), torch.tensor(y)[:, None], covar_module=kernel,
                                        outcome_transform=botorch.models.transforms.Standardize(m=1))
    return model, gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model)


def fitted_gpytorch(x, y, restarts, seed):
    """The best of some fits: from the default start, then from starts drawn around it."""
    from botorch.fit import fit_gpytorch_mll

    generator = torch.Generator().manual_seed(seed)
    best = None
    for restart in range(restarts):
        model, mll = gpytorch_model(x, y)
        if restart:
            kernel, d = model.covar_module, x.shape[1]
            drawn = torch.randn(1, d, generator=generator)
            kernel.lengthscale = (np.sqrt(2) + 0.5 * np.log(d) - 1 + drawn).exp()
            model.likelihood.noise = (-5 + 2 * torch.randn(1, generator=generator)).exp().clamp(min=2e-4)
        fit_gpytorch_mll(mll)
        model.train()
        with torch.no_grad():
            worth = mll(model(*model.train_inputs), model.train_targets).item()
        if best is None or worth > best[0]:
            best = worth, model
    return best[1].eval()


def theirs(x, y, points, truths, seed):
    model = fitted_gpytorch(x, y, RESTARTS, seed)
    with torch.no_grad():
        posterior = model.posterior(torch.tensor(points), observation_noise=True)
        mean, sd = posterior.mean[:, 0].numpy(), posterior.variance[:, 0].sqrt().numpy()
    z = (truths - mean) / sd
    return {"log_densities": (scipy.stats.norm.logpdf(z) - np.log(sd)).tolist(), "places": scipy.stats.norm.cdf(z).tolist()}


def judged(answers):
    """The mean log density, and the coverage of the three intervals, over all splits."""
    places = np.concatenate([answer["places"] for answer in answers])
    cover = [float((abs(places - 0.5) <= level / 2).mean()) for level in (0.5, 0.9, 0.99)]
    return {"log_density": float(np.mean(np.concatenate([answer["log_densities"] for answer in answers]))), "coverage": cover}


def calibration(seeds):
    all_splits = list(splits(seeds))
    answers = {form: ours([case(*split, form) for _, _, split in all_splits]) for form in ("matern", "service")}
    answers["gpytorch"] = []
    for name, seed, split in all_splits:
        answers["gpytorch"].append(theirs(*split, seed))
        print(f"{name} {seed}", flush=True)
    rows = {}
    for name in dict.fromkeys(name for name, _, _ in all_splits):
        which = [i for i, each in enumerate(all_splits) if each[0] == name]
        rows[name] = {who: judged([found[i] for i in which]) for who, found in answers.items()}
    heads = ("service", "matern", "gpytorch")
    print("| data | " + " | ".join(f"{head}: ln p | 50 / 90 / 99 %" for head in heads) + " |")
    print("| --- |" + " ---: | --- |" * len(heads))
    for name, row in rows.items():
        cells = [f"{row[head]['log_density']:.3f} | " + " / ".join(f"{100 * share:.0f}" for share in row[head]["coverage"]) for head in heads]
        print(f"| {name} | " + " | ".join(cells) + " |")
    return rows


def timed(action, repeats):
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        times.append(1e3 * (time.perf_counter() - began))
    return min(times)


def speed(sizes, repeats):
    import egobox
    from botorch.fit import fit_gpytorch_mll
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    rng = np.random.default_rng(0)
    points = rng.random((1000, 6))
    rows = {}
    for n in sizes:
        x = rng.random((n, 6))
        y = hartmann6(x)
        y = (y - y.mean()) / y.std()
        row = {}
        for form in ("matern", "service"):
            (answer,) = ours([case(x, y, points, np.zeros(1000), form, repeats)])
            row[form] = {"fit_ms": answer["fit_ms"], "predict_ms": answer["predict_ms"]}
        last = {}

        def gpytorch_fit():
            model, mll = gpytorch_model(x, y)
            fit_gpytorch_mll(mll)
            last["model"] = model.eval()

        def gpytorch_predict():
            at = torch.tensor(points, requires_grad=True)
            # Each point for itself, as a batch of single points: the posterior's gradient at each.
            posterior = last["model"].posterior(at[:, None])
            torch.autograd.grad(posterior.mean.sum() + posterior.variance.sqrt().sum(), at)

        row["gpytorch"] = {"fit_ms": timed(gpytorch_fit, repeats), "predict_ms": timed(gpytorch_predict, repeats)}
        kernel = ConstantKernel() * Matern(np.ones(6), nu=2.5) + WhiteKernel(1e-3)
        row["scikit-learn"] = {"fit_ms": timed(lambda: GaussianProcessRegressor(kernel, n_restarts_optimizer=0).fit(x, y), min(repeats, 2))}
        gpx = egobox.Gpx.builder(corr_spec=egobox.CorrelationSpec.MATERN52)
        row["egobox"] = {"fit_ms": timed(lambda: gpx.fit(x, y[:, None]), min(repeats, 2))}
        rows[str(n)] = row
        print(n, json.dumps(row), flush=True)
    print("| n | " + " | ".join(f"{who}: fit, ms" for who in row) + " | posterior of 1,000 points with gradients, ms: matern | service | gpytorch |")
    print("| ---: |" + " ---: |" * (len(row) + 3))
    for n, row in rows.items():
        fits = " | ".join(f"{each['fit_ms']:.1f}" for each in row.values())
        print(f"| {n} | {fits} | " + " | ".join(f"{row[who]['predict_ms']:.1f}" for who in ("matern", "service", "gpytorch")) + " |")
    return rows


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=["calibration", "speed"])
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--sizes", default="50,200,1000")
    options.add_argument("--repeats", type=int, default=3)
    given = options.parse_args()
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known[given.what] = calibration(given.seeds) if given.what == "calibration" else speed(map(int, given.sizes.split(",")), given.repeats)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Three clinics tune one model together, and none shows its patients to another.

Each site runs a process of its own with its own data. It asks the common study for a trial, cross-validates on what it has,
and tells the accuracy with its standard error: more patients, a smaller error. The service weighs them by that, and never
sees more than numbers.

    python examples/federated.py --trials 24
"""

import argparse
import multiprocessing
import sys
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import tellus

#: How the patients are spread over the sites.
SHARES = {"north": 0.5, "east": 0.3, "south": 0.2}


def patients(site: str) -> tuple[Any, Any]:
    """What this site alone has."""
    features, labels = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    names = list(SHARES)
    ends = np.round(np.cumsum([SHARES[name] for name in names]) * len(labels)).astype(int)
    index = names.index(site)
    mine = order[(ends[index - 1] if index else 0) : ends[index]]
    return features[mine], labels[mine]


def work(url: str | None, name: str, site: str) -> None:
    """Evaluates trials until the study's budget is spent."""
    features, labels = patients(site)
    study = tellus.Client(url).study(name)
    while True:
        try:
            trial = study.ask(worker=site, lease_seconds=300)
        except tellus.BudgetSpent:
            return
        model = make_pipeline(StandardScaler(), SVC(C=trial["C"], gamma=trial["gamma"]))
        scores = cross_val_score(model, features, labels, cv=5)
        trial.tell(accuracy=(scores.mean(), max(scores.std(ddof=1) / np.sqrt(len(scores)), 1e-3)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="where the service is")
    parser.add_argument("--name", default="federated")
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--picture", default="federated.svg")
    options = parser.parse_args()
    study = tellus.Client(options.url).study(
        options.name,
        {"C": tellus.Float(1e-3, 1e3, log=True), "gamma": tellus.Float(1e-5, 10, log=True)},
        {"accuracy": "maximize"},
        budget={"trials": options.trials},
        seed=1,
    )
    sites = [
        multiprocessing.Process(target=work, args=(options.url, options.name, site), name=site) for site in SHARES
    ]
    for site in sites:
        site.start()
    for site in sites:
        site.join()
    counts: dict[str, int] = {}
    for trial in study.trials():
        counts[trial.record["worker"]] = counts.get(trial.record["worker"], 0) + 1
    print("  ".join(f"{site} {count} trials" for site, count in sorted(counts.items())))
    [recommended] = study.best().recommended
    predicted = recommended.predicted["accuracy"]
    print(f"recommended {recommended.parameters}: accuracy {predicted['mean']:.4f} ± {predicted['sd']:.4f}")
    print(study.plot().save(options.picture))


if __name__ == "__main__":
    try:
        main()
    except tellus.TellusError as error:
        sys.exit(str(error))

#!/usr/bin/env python3
"""Tunes a neural network on scikit-learn's bundled digits, with what `tellus.minimize` offers: workers, a condition, a cost
that is recorded, and points that fail by diverging.

    pip install ./clients/python -r examples/requirements.txt
    python examples/neural_network.py --trials 30 --workers 2
"""

import argparse
import sys
import time
import warnings
from typing import Any

from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import tellus

PIXELS, DIGITS = load_digits(return_X_y=True)
SPLIT = train_test_split(PIXELS / 16, DIGITS, test_size=0.3, random_state=0, stratify=DIGITS)
# Fifteen epochs are meant to be few.
warnings.filterwarnings("ignore", category=ConvergenceWarning)


def train(p: dict[str, Any]) -> dict[str, float]:
    """Accuracy on what it was not trained with, after fifteen epochs."""
    began = time.monotonic()
    layers = [p["width"]] * (2 if p["depth"] == "two" else 1)
    if p["depth"] == "two":
        layers[1] = max(4, int(p["width"] * p["taper"]))
    network = MLPClassifier(
        layers,
        solver="sgd",
        learning_rate_init=p["rate"],
        momentum=p["momentum"],
        alpha=p["decay"],
        batch_size=p["batch"],
        max_iter=15,
        random_state=0,
    )
    network.fit(SPLIT[0], SPLIT[2])
    return {"accuracy": network.score(SPLIT[1], SPLIT[3]), "seconds": time.monotonic() - began}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="where the service is")
    parser.add_argument("--name", default="digits-network")
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--picture", default="neural_network.svg")
    options = parser.parse_args()
    result = tellus.maximize(
        train,
        {
            "rate": tellus.Float(1e-3, 10, log=True),
            "momentum": (0.0, 0.99),
            "decay": tellus.Float(1e-6, 1e-1, log=True),
            "batch": tellus.Ordinal([16, 32, 64, 128]),
            "width": tellus.Int(8, 64, log=True),
            "depth": ["one", "two"],
            "taper": tellus.Float(0.25, 1.0, when={"depth": "two"}),
        },
        metrics={"accuracy": "maximize", "seconds": "record"},
        trials=options.trials,
        workers=options.workers,
        name=options.name,
        client=options.url,
        seed=1,
    )
    print(f"best accuracy {result.value:.4f}, trial {result.trial.number}: {result.parameters}")
    print(result.study.plot().save(options.picture))


if __name__ == "__main__":
    try:
        main()
    except tellus.TellusError as error:
        sys.exit(str(error))

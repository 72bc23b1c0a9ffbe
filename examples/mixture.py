#!/usr/bin/env python3
"""A formulation in batches of eight, whose results a person types in.

Four ingredients sum to one. Run it, mix the eight recipes, run it again with what you measured, and so on; without results
it shows the recipes that are open. `--simulate N` plays N rounds against a made-up chemistry.

    python examples/mixture.py                       # eight recipes
    python examples/mixture.py 0=61.5 1=48 2=failed  # results by number, then the next recipes
    python examples/mixture.py --simulate 3
"""

import argparse
import math
import random
import sys

import tellus

INGREDIENTS = ["water", "ethanol", "glycerol", "acid"]
BATCH = 8


def measured(recipe: dict[str, float], chance: random.Random) -> float:
    """A made-up chemistry: the yield in percent, with an error of half a percent."""
    ideal = {"water": 0.42, "ethanol": 0.33, "glycerol": 0.2, "acid": 0.05}
    distance = sum((recipe[name] - ideal[name]) ** 2 for name in INGREDIENTS)
    return 80 * math.exp(-8 * distance) + chance.gauss(0, 0.5)


def typed(study: tellus.Study, results: list[str]) -> None:
    """Tells what was typed: `number=yield` or `number=failed`."""
    for result in results:
        number, _, value = result.partition("=")
        if value == "failed":
            study.tell(int(number), failed="the mixture did not hold")
        else:
            study.tell(int(number), (float(value), 0.5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="where the service is")
    parser.add_argument("--name", default="mixture")
    parser.add_argument("--simulate", type=int, default=0, metavar="ROUNDS")
    parser.add_argument("--picture", default="mixture.svg")
    parser.add_argument("results", nargs="*", help="number=yield, number=failed")
    options = parser.parse_args()

    study = tellus.Client(options.url).study(
        options.name,
        {"water": (0.2, 0.9), "ethanol": (0.0, 0.6), "glycerol": (0.0, 0.5), "acid": (0.0, 0.2)},
        {"yield": "maximize"},
        constraints=[tellus.Constraint(dict.fromkeys(INGREDIENTS, 1.0), equals=1.0)],
        default_lease_seconds=None,  # a person may take a week
        seed=5,
    )
    typed(study, options.results)
    chance = random.Random(0)
    for _ in range(options.simulate):
        for trial in study.ask_batch(BATCH, worker="robot"):
            trial.tell((measured(trial.parameters, chance), 0.5))
    open_trials = list(study.trials(state="running"))
    if not options.simulate and not open_trials:
        open_trials = study.ask_batch(BATCH, worker="person")
    for trial in open_trials:
        print(f"{trial.number:4}  " + "  ".join(f"{name} {trial[name]:6.1%}" for name in INGREDIENTS))
    best = study.best()
    if best.trial:
        print(f"best {best.trial.value:.1f} %, trial {best.trial.number}: {best.trial.parameters}")
        print(study.plot().save(options.picture))


if __name__ == "__main__":
    try:
        main()
    except tellus.TellusError as error:
        sys.exit(str(error))

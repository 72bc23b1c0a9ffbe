#!/usr/bin/env python3
"""The design of a welded beam, a simulation with constraints that are only known once it has run.

The cost of a beam welded to a wall is least where its shear stress, bending stress, deflection and buckling load are just
within bounds (Deb, Comput. Methods Appl. Mech. Eng. 186, 2000, problem 4.8; its best known cost is 2.381). One of the
constraints is known beforehand: the weld is no thicker than the bar.

    python examples/simulation.py --trials 60
"""

import argparse
import math
import sys

import tellus

LOAD, LENGTH, ELASTICITY, SHEAR = 6000.0, 14.0, 30e6, 12e6


def beam(p: dict[str, float]) -> dict[str, float]:
    """Cost and strength of a beam with weld thickness h and length l, bar height t and thickness b, in inches."""
    h, l, t, b = p["h"], p["l"], p["t"], p["b"]
    primary = LOAD / (math.sqrt(2) * h * l)
    arm = math.sqrt(0.25 * (l**2 + (h + t) ** 2))
    moment = LOAD * (LENGTH + 0.5 * l)
    polar = 2 * 0.707 * h * l * (l**2 / 12 + 0.25 * (h + t) ** 2)
    secondary = moment * arm / polar
    shear = math.sqrt(primary**2 + secondary**2 + l * primary * secondary / arm)
    root = math.sqrt(ELASTICITY * SHEAR * t**2 * b**6 / 36)
    buckling = 4.013 * root / LENGTH**2 * (1 - t / (2 * LENGTH) * math.sqrt(ELASTICITY / (4 * SHEAR)))
    return {
        "cost": 1.10471 * h**2 * l + 0.04811 * t * b * (14 + l),
        "shear": shear,
        "bending": 504_000 / (t**2 * b),
        "deflection": 2.1952 / (t**3 * b),
        "buckling": buckling,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="where the service is")
    parser.add_argument("--name", default="welded-beam")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--picture", default="simulation.svg")
    options = parser.parse_args()
    result = tellus.minimize(
        beam,
        {
            "h": tellus.Float(0.125, 5, log=True),
            "l": tellus.Float(0.1, 10, log=True),
            "t": tellus.Float(0.1, 10, log=True),
            "b": tellus.Float(0.125, 5, log=True),
        },
        metrics={
            "cost": "minimize",
            "shear": tellus.Metric("constrain", upper=13_600),
            "bending": tellus.Metric("constrain", upper=30_000),
            "deflection": tellus.Metric("constrain", upper=0.25),
            "buckling": tellus.Metric("constrain", lower=6_000),
        },
        constraints=[tellus.Constraint({"h": 1, "b": -1}, upper=0)],
        trials=options.trials,
        name=options.name,
        client=options.url,
        seed=1,
    )
    if result.trial is None:
        print("no beam holds yet; go on with more --trials")
    else:
        print(f"best cost {result.value:.3f}, trial {result.trial.number}: {result.parameters}")
    print(result.study.plot().save(options.picture))


if __name__ == "__main__":
    try:
        main()
    except tellus.TellusError as error:
        sys.exit(str(error))

#!/usr/bin/env python3
"""The four-bar truss: a light one bends, a stiff one is heavy. The answer is a front.

Volume and displacement of a truss by its four cross sections (Stadler & Dauer 1992; problem RE21 of Tanabe & Ishibuchi,
Appl. Soft Comput. 89, 2020).

    python examples/two_objectives.py --trials 40
"""

import argparse
import math
import sys

import tellus

FORCE, LENGTH, ELASTICITY, STRESS = 10.0, 200.0, 2e5, 10.0
AREA = FORCE / STRESS


def truss(p: dict[str, float]) -> dict[str, float]:
    """Volume in cm³ and displacement in cm."""
    a, b, c, d = (p[f"area_{i}"] for i in range(1, 5))
    volume = LENGTH * (2 * a + math.sqrt(2) * b + math.sqrt(c) + d)
    bending = FORCE * LENGTH / ELASTICITY
    displacement = bending * (2 / a + 2 * math.sqrt(2) / b - 2 * math.sqrt(2) / c + 2 / d)
    return {"volume": volume, "displacement": displacement}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="where the service is")
    parser.add_argument("--name", default="truss")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--picture", default="two_objectives.svg")
    options = parser.parse_args()
    result = tellus.minimize(
        truss,
        {
            "area_1": (AREA, 3 * AREA),
            "area_2": (math.sqrt(2) * AREA, 3 * AREA),
            "area_3": (math.sqrt(2) * AREA, 3 * AREA),
            "area_4": (AREA, 3 * AREA),
        },
        metrics={"volume": "minimize", "displacement": "minimize"},
        trials=options.trials,
        name=options.name,
        client=options.url,
        seed=1,
    )
    for trial in sorted(result.study.best().trials, key=lambda trial: trial.metrics["volume"]):
        print(f"{trial.number:4}  volume {trial.metrics['volume']:7.1f}  displacement {trial.metrics['displacement']:.5f}")
    print(result.study.plot().save(options.picture))


if __name__ == "__main__":
    try:
        main()
    except tellus.TellusError as error:
        sys.exit(str(error))

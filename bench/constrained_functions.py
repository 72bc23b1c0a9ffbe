"""The constrained problems that the benchmarks minimize. A constraint is kept where its value is at most 0.

Gardner et al. (ICML 2014, first simulation); Gramacy et al. (Technometrics 58, 2016, the toy problem); welded beam and
pressure vessel (Coello Coello & Mezura Montes, Advanced Engineering Informatics 16, 2002), with continuous variables.
Minima: of the first two by a fine grid and a local search from it (`python constrained_functions.py` repeats that), of
the welded beam as published, of the pressure vessel with continuous thicknesses as computed here.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Constrained:
    """A function to minimize over a box, with constraints."""

    name: str
    # Objective first, then the constraints.
    formula: Callable[[list[float]], list[float]]
    low: tuple[float, ...]
    high: tuple[float, ...]
    constraints: int
    minimum: float


def gardner(x: list[float]) -> list[float]:
    a, b = x
    return [
        math.cos(2 * a) * math.cos(b) + math.sin(a),
        math.cos(a) * math.cos(b) - math.sin(a) * math.sin(b) - 0.5,
    ]


def gramacy(x: list[float]) -> list[float]:
    a, b = x
    return [
        a + b,
        1.5 - a - 2 * b - 0.5 * math.sin(2 * math.pi * (a * a - 2 * b)),
        a * a + b * b - 1.5,
    ]


def welded_beam(x: list[float]) -> list[float]:
    h, length, t, b = x
    load, span, elastic, shear = 6000.0, 14.0, 30e6, 12e6
    moment = load * (span + length / 2)
    radius = math.sqrt(length**2 / 4 + ((h + t) / 2) ** 2)
    inertia = 2 * math.sqrt(2) * h * length * (length**2 / 12 + ((h + t) / 2) ** 2)
    primary = load / (math.sqrt(2) * h * length)
    secondary = moment * radius / inertia
    stress = math.sqrt(primary**2 + primary * secondary * length / radius + secondary**2)
    bending = 6 * load * span / (b * t**2)
    deflection = 4 * load * span**3 / (elastic * b * t**3)
    buckling = (
        4.013 * elastic * math.sqrt(t**2 * b**6 / 36) / span**2
        * (1 - t / (2 * span) * math.sqrt(elastic / (4 * shear)))
    )
    return [
        1.10471 * h**2 * length + 0.04811 * t * b * (14 + length),
        stress - 13600,
        bending - 30000,
        h - b,
        deflection - 0.25,
        load - buckling,
    ]


def pressure_vessel(x: list[float]) -> list[float]:
    shell, head, radius, length = x
    return [
        0.6224 * shell * radius * length
        + 1.7781 * head * radius**2
        + 3.1661 * shell**2 * length
        + 19.84 * shell**2 * radius,
        0.0193 * radius - shell,
        0.00954 * radius - head,
        1296000 - math.pi * radius**2 * length - 4 / 3 * math.pi * radius**3,
    ]


PROBLEMS = {
    problem.name: problem
    for problem in [
        Constrained("gardner", gardner, (0.0, 0.0), (6.0, 6.0), 1, -2.0),
        Constrained("gramacy", gramacy, (0.0, 0.0), (1.0, 1.0), 2, 0.5997880520327664),
        Constrained("welded_beam", welded_beam, (0.125, 0.1, 0.1, 0.1), (10.0,) * 4, 5, 1.7248523085973674),
        Constrained(
            "pressure_vessel", pressure_vessel, (0.0625, 0.0625, 10.0, 10.0), (6.1875, 6.1875, 200.0, 200.0), 3, 5885.3327736
        ),
    ]
}


def check() -> None:
    """Prints the least feasible values that a search with a penalty finds."""
    from scipy.optimize import differential_evolution, minimize

    for problem in PROBLEMS.values():

        def penalized(x, problem=problem) -> float:
            value, *constraints = problem.formula(list(x))
            excess = sum(max(c, 0.0) / (1 + abs(c)) for c in constraints)
            return value + 1e6 * excess if excess > 0 else value

        bounds = list(zip(problem.low, problem.high))
        found = differential_evolution(penalized, bounds, seed=0, maxiter=3000, popsize=30, tol=1e-12)
        polished = minimize(penalized, found.x, bounds=bounds, method="Nelder-Mead", options={"xatol": 1e-12})
        least = min(found.fun, polished.fun)
        print(f"{problem.name}: {least:.10g} at {found.x.tolist()}; given {problem.minimum:.10g}")


if __name__ == "__main__":
    check()

"""The functions that the benchmarks minimize: their boxes, their minima, and a shift of each by seed.

Formulae and boxes are the usual ones of the literature (Surjanovic and Bingham, "Virtual Library of Simulation
Experiments"). Every function is defined on the whole of R^d and has no lower value outside its box than inside, so it
can be moved: `shifted(seed)` returns f(x - delta) on the same box. Each coordinate of delta is drawn uniformly from
-25 % to +25 % of the box's side, then cut so that the minimizer stays at least 5 % of the side away from the bounds.
The minimum keeps its value. It is for functions whose minimizer is the box's centre (`is_centred`): there, a design
that starts at the centre would have nothing left to search for.

Run as a program, this file checks each minimizer: a local search from it must find nothing lower.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

Vector = np.ndarray

LARGEST_SHIFT = 0.25
MARGIN = 0.05


@dataclass(frozen=True)
class Function:
    """A function to minimize over a box, one of its minimizers known."""

    name: str
    formula: Callable[[Vector], float]
    low: tuple[float, ...]
    high: tuple[float, ...]
    minimizer: tuple[float, ...]
    delta: tuple[float, ...] | None = None

    @property
    def dimension(self) -> int:
        return len(self.low)

    @property
    def minimum(self) -> float:
        return self(self.minimizer)

    @property
    def is_centred(self) -> bool:
        return all(2 * at == low + high for at, low, high in zip(self.minimizer, self.low, self.high))

    def __call__(self, point) -> float:
        x = np.asarray(point, dtype=float)
        return float(self.formula(x if self.delta is None else x - np.array(self.delta)))

    def shifted(self, seed: int) -> "Function":
        """The same function with its minimizer moved, as the head of this file tells."""
        low, high, minimizer = (np.array(side) for side in (self.low, self.high, self.minimizer))
        side = high - low
        # The name takes part, so that functions of one dimension are not all moved alike.
        random = np.random.default_rng([seed, *self.name.encode()])
        target = minimizer + random.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, self.dimension) * side
        target = np.clip(target, low + MARGIN * side, high - MARGIN * side)
        return replace(self, minimizer=tuple(target.tolist()), delta=tuple((target - minimizer).tolist()))


def branin(x: Vector) -> float:
    curve = x[1] - 5.1 / (4 * math.pi**2) * x[0] ** 2 + 5 / math.pi * x[0] - 6
    return curve**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x[0]) + 10


HARTMANN_WEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
HARTMANN_3_SCALES = np.array([[3.0, 10, 30], [0.1, 10, 35], [3.0, 10, 30], [0.1, 10, 35]])
HARTMANN_3_CENTRES = 1e-4 * np.array(
    [[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]]
)
HARTMANN_6_SCALES = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
HARTMANN_6_CENTRES = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann(scales: Vector, centres: Vector) -> Callable[[Vector], float]:
    return lambda x: -HARTMANN_WEIGHTS @ np.exp(-np.sum(scales * (x - centres) ** 2, axis=1))


def ackley(x: Vector) -> float:
    spread = math.exp(-0.2 * math.sqrt(np.mean(x**2)))
    return -20 * spread - math.exp(np.mean(np.cos(2 * math.pi * x))) + 20 + math.e


def levy(x: Vector) -> float:
    w = 1 + (x - 1) / 4
    middle = np.sum((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(math.pi * w[:-1] + 1) ** 2))
    last = (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
    return math.sin(math.pi * w[0]) ** 2 + middle + last


def rosenbrock(x: Vector) -> float:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def griewank(x: Vector) -> float:
    return np.sum(x**2) / 4000 - np.prod(np.cos(x / np.sqrt(np.arange(1, len(x) + 1)))) + 1


def styblinski_tang(x: Vector) -> float:
    return np.sum(0.5 * (x**4 - 16 * x**2 + 5 * x))


def rastrigin(x: Vector) -> float:
    return np.sum(x**2 - 10 * np.cos(2 * math.pi * x) + 10)


def different_powers(x: Vector) -> float:
    return math.sqrt(np.sum(np.abs(x) ** (2 + 4 * np.arange(len(x)) / (len(x) - 1))))


def zakharov(x: Vector) -> float:
    weighted = 0.5 * np.sum(np.arange(1, len(x) + 1) * x)
    return np.sum(x**2) + weighted**2 + weighted**4


def cube(
    name: str, formula: Callable[[Vector], float], dimension: int, side: tuple[float, float], minimizer: float
):
    """A function over a box with equal sides whose minimizer has equal coordinates."""
    low, high = side
    return Function(name, formula, (low,) * dimension, (high,) * dimension, (minimizer,) * dimension)


FUNCTIONS = {
    function.name: function
    for function in [
        Function("branin", branin, (-5.0, 0.0), (10.0, 15.0), (math.pi, 2.275)),
        Function(
            "hartmann3",
            hartmann(HARTMANN_3_SCALES, HARTMANN_3_CENTRES),
            (0.0,) * 3,
            (1.0,) * 3,
            (0.11458888151229193, 0.5556488951145233, 0.8525469851991601),
        ),
        Function(
            "hartmann6",
            hartmann(HARTMANN_6_SCALES, HARTMANN_6_CENTRES),
            (0.0,) * 6,
            (1.0,) * 6,
            (
                0.2016895091209952,
                0.15001069261525055,
                0.4768739793991966,
                0.2753324285694233,
                0.3116516177867401,
                0.6573005350773107,
            ),
        ),
        cube("ackley5", ackley, 5, (-32.768, 32.768), 0.0),
        cube("levy4", levy, 4, (-10.0, 10.0), 1.0),
        cube("levy8", levy, 8, (-10.0, 10.0), 1.0),
        cube("rosenbrock5", rosenbrock, 5, (-5.0, 10.0), 1.0),
        cube("griewank8", griewank, 8, (-600.0, 600.0), 0.0),
        cube("styblinski5", styblinski_tang, 5, (-5.0, 5.0), -2.9035340276896057),
        cube("rastrigin4", rastrigin, 4, (-5.12, 5.12), 0.0),
        cube("powers6", different_powers, 6, (-5.0, 5.0), 0.0),
        cube("zakharov6", zakharov, 6, (-5.0, 10.0), 0.0),
        cube("ackley20", ackley, 20, (-32.768, 32.768), 0.0),
    ]
}


def check() -> None:
    """Fails unless each minimizer, shifted and not, is inside its box and at the bottom of it."""
    from scipy.optimize import minimize

    for function in FUNCTIONS.values():
        for candidate in [function, *(function.shifted(seed) for seed in range(20))]:
            low, high, minimizer = (
                np.array(side) for side in (candidate.low, candidate.high, candidate.minimizer)
            )
            assert np.all(low < minimizer) and np.all(minimizer < high), candidate
            assert math.isclose(candidate.minimum, function.minimum, abs_tol=1e-9), candidate
            found = minimize(
                candidate, minimizer + 1e-3 * (high - low), method="Nelder-Mead", bounds=list(zip(low, high))
            )
            assert found.fun > candidate.minimum - 1e-9, (candidate, found)
            corners = np.random.default_rng(0).uniform(low, high, (2000, function.dimension))
            assert min(map(candidate, corners)) > candidate.minimum, candidate
        print(f"{function.name}: minimum {function.minimum:.12g}")


if __name__ == "__main__":
    check()

"""The table of what each step of the surrogate costs, from what `cargo bench --bench steps` in bench/advisor left.

    python3 bench/steps.py

The exponents are least squares in the logarithms: in n over the sizes of six parameters from 200 trials on, in d over
200 trials.
"""

import json
import math
import pathlib

HERE = pathlib.Path(__file__).parent
CRITERION = HERE / "advisor" / "target" / "criterion"


def exponent(pairs):
    x, y = [math.log(a) for a, _ in pairs], [math.log(b) for _, b in pairs]
    mx, my = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y)) / sum((a - mx) ** 2 for a in x)


def main():
    found = {}
    for file in CRITERION.glob("*/*/new/estimates.json"):
        n, d = map(int, file.parts[-3].split("x"))
        found.setdefault(file.parts[-4], {})[n, d] = json.loads(file.read_text())["median"]["point_estimate"] / 1e3
    sizes = sorted({n for step in found.values() for n, d in step if d == 6})
    print("| step, µs at d = 6 | " + " | ".join(f"n = {n}" for n in sizes) + " | exponent in n | in d, at n = 200 |")
    print("| --- |" + " ---: |" * (len(sizes) + 2))
    for step, times in sorted(found.items()):
        cells = [f"{times[n, 6]:,.0f}" if times[n, 6] >= 10 else f"{times[n, 6]:.1f}" for n in sizes]
        in_n = exponent([(n, times[n, 6]) for n in sizes if n >= 200])
        in_d = exponent([(d, t) for (n, d), t in times.items() if n == 200])
        print(f"| {step.replace('_', ' ')} | " + " | ".join(cells) + f" | {in_n:.2f} | {in_d:.2f} |")


if __name__ == "__main__":
    main()

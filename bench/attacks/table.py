"""The table of medians, and the plot over passes, from the lines of `ablation.rs` and `baselines.py`.

    python table.py DIRECTORY > bench/results/attacks.md      (and bench/results/attacks.svg with matplotlib)
"""

import collections
import json
import pathlib
import statistics
import sys

CHECKPOINTS = [50, 100, 300, 1000, 3000]
NAMES = {"attacks": "attacks alone", "direct_search": "direct search alone", "published": "published hybrid", "local": "ours without the model",
         "ours": "ours", "cma": "CMA-ES", "ngopt": "nevergrad NGOpt", "nomad": "NOMAD"}


def family(problem):
    return problem.rsplit("_", 1)[0]


def main(directory):
    runs = collections.defaultdict(lambda: collections.defaultdict(dict))
    for line in (pathlib.Path(directory) / "results.jsonl").read_text().splitlines():
        run = json.loads(line)
        for at, value in zip(run["at"], run["values"]):
            if at <= run["passes"]:
                runs[family(run["problem"])][run["method"]].setdefault(at, {})[run["problem"]] = value
    medians = {}
    for problem in sorted(runs):
        print(f"\n{problem}\n")
        print("| method | instances | " + " | ".join(map(str, CHECKPOINTS)) + " |")
        print("| --- | --- |" + " --- |" * len(CHECKPOINTS))
        for method in [m for m in NAMES if m in runs[problem]]:
            at = runs[problem][method]
            count = max(len(v) for v in at.values())
            cells = []
            for c in CHECKPOINTS:
                values = [(-1e300 if v is None else v) for v in at.get(c, {}).values()]
                median = statistics.median(values) if values else None
                medians[problem, method, c] = median
                cells.append("" if median is None else "infeasible" if median < -1e299 else f"{median:.3g}")
            print(f"| {NAMES[method]} | {count} | " + " | ".join(cells) + " |")
    try:
        import matplotlib

        matplotlib.use("svg")
        import matplotlib.pyplot as plt
    except ImportError:
        return
    problems = sorted({p for p, _, _ in medians})
    figure, axes = plt.subplots(2, (len(problems) + 1) // 2, figsize=(4 * ((len(problems) + 1) // 2), 7), squeeze=False)
    for axis, problem in zip(axes.ravel(), problems):
        for method in [m for m in NAMES if (problem, m, CHECKPOINTS[0]) in medians]:
            points = [(c, -medians[problem, method, c]) for c in CHECKPOINTS if medians.get((problem, method, c)) is not None]
            points = [(c, v) for c, v in points if 0 < v < 1e299]
            axis.loglog([c for c, _ in points], [v for _, v in points], marker="o", label=NAMES[method])
        axis.set_title(problem)
        axis.set_xlabel("passes")
        axis.set_ylabel("−median of the best value")
    axes.ravel()[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig("bench/results/attacks.svg")


if __name__ == "__main__":
    main(sys.argv[1])

"""The peers on the same problems: NOMAD, CMA-ES and nevergrad's NGOpt.

    python baselines.py DIRECTORY METHODS PASSES [PREFIX]

One line of JSON a run is added to DIRECTORY/results.jsonl, in the form of `ablation.rs`; runs that are there are not
repeated. A pass is one evaluation of the network. Constraints are handed
to NOMAD as constraints (progressive barrier), to the others as a penalty of 100 times the squared violation. Needs
onnxruntime, cma, nevergrad and PyNomadBBO.
"""

import json
import pathlib
import sys
import time
import warnings

import numpy as np
import onnxruntime as ort

warnings.filterwarnings("ignore")
CHECKPOINTS = [50, 100, 300, 1000, 3000]


def outputs(session, **known):
    """What a network says; its inputs are known by name, or it has the last of them alone."""
    wanted = session.get_inputs()
    values = {w.name: known[w.name] for w in wanted} if len(wanted) > 1 else {wanted[0].name: list(known.values())[-1]}
    return session.run(None, values)[0]


class Problem:
    def __init__(self, directory, entry, passes):
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        load = lambda name: ort.InferenceSession(str(directory / name), options, providers=["CPUExecutionProvider"])
        self.phi, self.goal = load(entry["phi"]), load(entry["goal"])
        self.constraints = load(entry["constraints"]) if entry["constraints"] else None
        self.low, self.high, self.start = entry["low"], entry["high"], np.array(entry["start"])
        self.most, self.count, self.best, self.trace = passes, 0, -np.inf, []

    def __call__(self, x):
        """Value and constraints; counts, and remembers the best feasible value."""
        if self.count >= self.most:
            raise StopIteration
        while len(self.trace) < len(CHECKPOINTS) and self.count >= CHECKPOINTS[len(self.trace)]:
            self.trace.append(self.best)
        self.count += 1
        x = np.clip(np.asarray(x, dtype=np.float32), self.low, self.high)
        y = outputs(self.phi, x=x[None])
        value = float(outputs(self.goal, x=x[None], y=y).ravel()[0])
        c = outputs(self.constraints, x=x[None], y=y).ravel() if self.constraints else np.zeros(0)
        if not (c > 0).any():
            self.best = max(self.best, value)
        return value, c

    def penalized(self, x):
        value, c = self(x)
        return -value + 100.0 * float((np.maximum(c, 0) ** 2).sum())


def cma(problem, seed):
    import cma as library

    sigma = 0.05 * (problem.high - problem.low)
    options = {"bounds": [problem.low, problem.high], "seed": seed + 1, "verbose": -9, "maxfevals": problem.most, "tolfun": 0, "tolx": 0}
    library.fmin2(problem.penalized, problem.start, sigma, options)


def ngopt(problem, seed):
    import nevergrad as ng

    parameter = ng.p.Array(init=problem.start).set_bounds(problem.low, problem.high)
    parameter.random_state.seed(seed)
    optimizer = ng.optimizers.NGOpt(parametrization=parameter, budget=problem.most)
    optimizer.suggest(problem.start)
    optimizer.minimize(lambda x: problem.penalized(x))


def nomad(problem, seed):
    import PyNomad

    n, kinds = len(problem.start), "OBJ" + (" PB" if problem.constraints else "")

    def evaluate(point):
        try:
            value, c = problem([point.get_coord(i) for i in range(n)])
        except StopIteration:
            return 0
        text = f"{-value:.17g}" + (f" {c.max():.17g}" if problem.constraints else "")
        point.setBBO(text.encode())
        return 1

    parameters = [f"BB_OUTPUT_TYPE {kinds}", f"MAX_BB_EVAL {problem.most}", f"SEED {seed + 1}", "DISPLAY_DEGREE 0", "QUAD_MODEL_SEARCH no",
                  "DIRECTION_TYPE ORTHO 2N", "EVAL_QUEUE_SORT DIR_LAST_SUCCESS", "NB_THREADS_PARALLEL_EVAL 1"]
    PyNomad.optimize(evaluate, problem.start.tolist(), [problem.low] * n, [problem.high] * n, parameters)


METHODS = {"cma": cma, "ngopt": ngopt, "nomad": nomad}


def main(directory, methods, passes, prefix=""):
    directory, passes = pathlib.Path(directory), int(passes)
    results = directory / "results.jsonl"
    lines = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    done = {(line["problem"], line["method"], line["passes"]) for line in lines}
    for method in methods.split(","):
        for entry in json.loads((directory / "problems.json").read_text()):
            if not entry["name"].startswith(prefix) or (entry["name"], method, passes) in done:
                continue
            problem, began = Problem(directory, entry, passes), time.time()
            try:
                METHODS[method](problem, sum(map(ord, entry["name"])))
            except StopIteration:
                pass
            problem.trace.append(problem.best)
            values = [None if not np.isfinite(v) else v for v in problem.trace[: len(CHECKPOINTS)]]
            line = {"problem": entry["name"], "method": method, "passes": passes, "at": CHECKPOINTS[: len(values)], "values": values,
                    "evaluations": problem.count, "seconds": time.time() - began}
            print(json.dumps(line), flush=True)
            with results.open("a") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""One optimizer in an interpreter of its own: those whose requirements exclude each other's.

`peers.py` starts it and speaks to it in lines of JSON. The first line that comes in is the task:
{"method", "low", "high", "trials", "seed"}. Then it writes {"point": [...]} and reads {"value": number}, again and again;
in the end it writes {"cpu_seconds": number}, what it computed for itself. What a library prints goes to standard error.
"""

import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable

answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
Evaluate = Callable[[list[float]], float]


def run_ax(task: dict, evaluate: Evaluate) -> None:
    from ax.api.client import Client
    from ax.api.configs import RangeParameterConfig

    client = Client(random_seed=task["seed"])
    names = names_of(task)
    client.configure_experiment(
        parameters=[
            RangeParameterConfig(name=name, parameter_type="float", bounds=(low, high))
            for name, low, high in zip(names, task["low"], task["high"])
        ]
    )
    client.configure_optimization(objective="-value")
    for _ in range(task["trials"]):
        for index, point in client.get_next_trials(max_trials=1).items():
            client.complete_trial(index, raw_data={"value": evaluate([point[name] for name in names])})


def run_hebo(task: dict, evaluate: Evaluate) -> None:
    import numpy as np
    import torch
    from hebo.design_space.design_space import DesignSpace
    from hebo.optimizers.hebo import HEBO

    torch.set_num_threads(1)
    np.random.seed(task["seed"])
    torch.manual_seed(task["seed"])
    names = names_of(task)
    space = DesignSpace().parse(
        [
            {"name": name, "type": "num", "lb": low, "ub": high}
            for name, low, high in zip(names, task["low"], task["high"])
        ]
    )
    optimizer = HEBO(space, scramble_seed=task["seed"])
    for _ in range(task["trials"]):
        suggested = optimizer.suggest(n_suggestions=1)
        value = evaluate([float(suggested.iloc[0][name]) for name in names])
        optimizer.observe(suggested, np.array([[value]]))


def run_smac(task: dict, evaluate: Evaluate) -> None:
    from ConfigSpace import ConfigurationSpace
    from smac import BlackBoxFacade, Scenario

    names = names_of(task)
    space = ConfigurationSpace(
        {name: (low, high) for name, low, high in zip(names, task["low"], task["high"])}, seed=task["seed"]
    )
    with tempfile.TemporaryDirectory() as folder:
        scenario = Scenario(
            space, deterministic=True, n_trials=task["trials"], seed=task["seed"], output_directory=folder
        )
        facade = BlackBoxFacade(
            scenario,
            lambda config, seed=0: evaluate([float(config[name]) for name in names]),
            overwrite=True,
            logging_level=50,
        )
        facade.optimize()


def run_vizier(task: dict, evaluate: Evaluate) -> None:
    from vizier.service import clients
    from vizier.service import pyvizier as vz

    names = names_of(task)
    problem = vz.ProblemStatement()
    for name, low, high in zip(names, task["low"], task["high"]):
        problem.search_space.root.add_float_param(name, low, high)
    problem.metric_information.append(
        vz.MetricInformation(name="value", goal=vz.ObjectiveMetricGoal.MINIMIZE)
    )
    config = vz.StudyConfig.from_problem(problem)
    config.algorithm = "DEFAULT"
    study = clients.Study.from_study_config(config, owner="bench", study_id=f"seed-{task['seed']}")
    for _ in range(task["trials"]):
        for trial in study.suggest(count=1):
            value = evaluate([float(trial.parameters[name]) for name in names])
            trial.complete(vz.Measurement({"value": value}))


METHODS = {"ax": run_ax, "hebo": run_hebo, "smac": run_smac, "vizier": run_vizier}


def names_of(task: dict) -> list[str]:
    return [f"x{axis}" for axis in range(len(task["low"]))]


def main() -> None:
    warnings.filterwarnings("ignore")
    task = json.loads(sys.stdin.readline())
    task["low"], task["high"] = [float(side) for side in task["low"]], [float(side) for side in task["high"]]
    started = time.process_time()

    def evaluate(point: list[float]) -> float:
        answers.write(json.dumps({"point": point}) + "\n")
        return json.loads(sys.stdin.readline())["value"]

    METHODS[task["method"]](task, evaluate)
    answers.write(json.dumps({"cpu_seconds": time.process_time() - started}) + "\n")


if __name__ == "__main__":
    main()

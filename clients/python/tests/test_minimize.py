"""A function, a space, a number of trials."""

import concurrent.futures
import math
import os
import subprocess
import sys
import threading
import time

import pytest

import tellus


def square(p):
    return (p["x"] - 3) ** 2


def test_finds_the_minimum(server):
    result = tellus.minimize(square, {"x": (-5.0, 10.0)}, trials=20, client=server.url, seed=1)
    assert result.value < 0.05 and abs(result.parameters["x"] - 3) < 0.25


def test_maximize_with_constraints_and_several_metrics(server):
    def function(p):
        return {"area": p["a"] * p["b"], "perimeter": 2 * (p["a"] + p["b"])}

    metrics = {"area": "maximize", "perimeter": tellus.Metric("constrain", upper=4)}
    result = tellus.maximize(
        function, {"a": (0.1, 3.0), "b": (0.1, 3.0)}, trials=25, metrics=metrics, client=server.url, seed=2
    )
    assert result.metrics["perimeter"] <= 4 and result.value > 0.8


def test_failures_are_told_and_workers_share(server, name):
    threads = set()

    def function(p):
        threads.add(threading.get_ident())
        time.sleep(0.02)
        if p["x"] < -2:
            raise RuntimeError("too cold")
        if p["x"] > 9:
            return math.nan
        if 5 < p["x"] < 5.5:
            raise tellus.StopTrial
        return square(p)

    result = tellus.minimize(function, {"x": (-5.0, 10.0)}, trials=24, name=name, client=server.url, workers=4)
    trials = list(result.study.trials())
    assert len(trials) == 24 and len(threads) == 4
    for trial in trials:
        x = trial["x"]
        expected = "failed" if x < -2 or x > 9 else "stopped" if 5 < x < 5.5 else "completed"
        assert trial.state == expected
    assert any("too cold" in (t.record["reason"] or "") for t in trials)


def test_processes_evaluate(server):
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        result = tellus.minimize(square, {"x": (-5, 10)}, trials=6, client=server.url, workers=2, executor=pool)
    assert len(list(result.study.trials(state="completed"))) == 6


def test_an_interruption_is_told_and_resumed(server, name):
    seen = []

    def interrupted(p):
        if len(seen) == 5:
            raise KeyboardInterrupt
        seen.append(p)
        return square(p)

    with pytest.raises(KeyboardInterrupt):
        tellus.minimize(interrupted, {"x": (-5.0, 10.0)}, trials=8, name=name, client=server.url)
    result = tellus.minimize(square, {"x": (-5.0, 10.0)}, trials=8, name=name, client=server.url)
    states = [trial.state for trial in result.study.trials()]
    assert states.count("completed") == 8 and states.count("abandoned") == 1


def test_a_killed_program_is_resumed(server, name):
    program = (
        "import tellus, sys, os\n"
        "def f(p):\n"
        "    f.n = getattr(f, 'n', 0) + 1\n"
        "    if f.n == 5: os._exit(9)\n"
        "    return p['x'] ** 2\n"
        f"tellus.minimize(f, {{'x': (-5.0, 10.0)}}, trials=7, name={name!r})\n"
    )
    environment = {**os.environ, "TELLUS_URL": server.url}
    killed = subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    assert killed.returncode == 9
    result = tellus.minimize(lambda p: p["x"] ** 2, {"x": (-5.0, 10.0)}, trials=7, name=name, client=server.url)
    states = [trial.state for trial in result.study.trials()]
    assert states.count("completed") == 7 and len(states) == 8


def test_the_bar_shows_the_best(client, name):
    from tellus.progress import _Terminal

    result = tellus.minimize(square, {"x": (-5.0, 10.0)}, trials=6, name=name, client=client, progress=False)
    bar = _Terminal(result.study.record, 6)
    bar.trials = [trial.record for trial in result.study.trials()]
    assert "6/6" in bar.line() and f"best value {result.value:.5g}" in bar.line()


def test_fronts():
    from tellus.plot import front

    points = [(1, 5), (2, 3), (3, 4), (4, 1), (2, 6)]
    assert front(points, (False, False)) == [(1, 5), (2, 3), (4, 1)]
    assert front(points, (True, True)) == [(2, 6), (3, 4), (4, 1)]

#!/usr/bin/env python3
"""Runs the examples against a server of their own, with few trials: they must end well, and resume.

`TELLUS_BIN` names the server to run; the release build is it without.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent
sys.path.insert(0, str(EXAMPLES.parent / "bench"))

from service import Connection, running_service  # noqa: E402

# More than the initial design takes, so that the model proposes some of them.
TRIALS = 14


class Examples(unittest.TestCase):
    def setUp(self) -> None:
        self.url = self.enterContext(running_service())

    def run_example(self, program: str, *options: str) -> subprocess.CompletedProcess:
        command = [sys.executable, EXAMPLES / program, "--url", self.url, *options]
        client = str(EXAMPLES.parent / "clients" / "python" / "src")
        environment = {**os.environ, "PYTHONPATH": client}
        return subprocess.run(
            command, capture_output=True, text=True, timeout=600, check=False, env=environment
        )

    def tune(self, program: str, trials: int) -> list[str]:
        """Runs the example until its study has this many trials; returns the lines it printed."""
        run = self.run_example(program, "--name", "example", "--trials", str(trials), "--seed", "1")
        self.assertEqual(run.returncode, 0, run.stderr)
        print(f"\n{program}\n{run.stdout}", end="")
        return run.stdout.splitlines()

    def check_tunes_and_resumes(self, program: str, metric: str, goal) -> None:
        first = self.tune(program, TRIALS - 2)
        self.assertEqual(
            [line.split()[:2] for line in first[:-4]], [[str(n), metric] for n in range(TRIALS - 2)]
        )
        self.assertEqual([line.split()[0] for line in first[-4::2]], ["best", "recommended"])

        resumed = self.tune(program, TRIALS)
        self.assertEqual([line.split()[0] for line in resumed[:-4]], [str(TRIALS - 2), str(TRIALS - 1)])

        connection = self.enterContext(contextlib.closing(Connection(self.url)))
        [study] = connection.call("GET", "/v1/studies?name=example")["studies"]
        self.assertEqual(study["trial_counts"]["completed"], TRIALS)
        trials = connection.call("GET", f"/v1/studies/{study['id']}/trials")["trials"]
        [best] = connection.call("GET", f"/v1/studies/{study['id']}/best")["trials"]
        measured = [trial["metrics"][metric]["value"] for trial in trials]
        self.assertEqual(best["metrics"][metric]["value"], goal(measured))

    def draw(self, program: str, *options: str) -> str:
        """Runs an example that is on the Python client and ends in a picture; returns what it printed."""
        with tempfile.TemporaryDirectory() as directory:
            picture = Path(directory) / "picture.svg"
            run = self.run_example(program, "--picture", str(picture), *options)
            self.assertEqual(run.returncode, 0, run.stderr)
            print(f"\n{program}\n{run.stdout}", end="")
            self.assertGreater(picture.read_text().count("<circle"), 8)
        return run.stdout

    def test_mixture(self) -> None:
        first = self.run_example("mixture.py")
        self.assertEqual(first.returncode, 0, first.stderr)
        recipes = first.stdout.splitlines()
        self.assertEqual([line.split()[0] for line in recipes], [str(n) for n in range(8)])
        for line in recipes:
            shares = [float(word.rstrip("%")) for word in line.split() if word.endswith("%")]
            self.assertAlmostEqual(sum(shares), 100, delta=0.3)
        results = [f"{n}={40 + n}" for n in range(7)]
        second = self.draw("mixture.py", "--simulate", "1", *results, "7=failed")
        self.assertIn("best ", second)
        refused = self.run_example("mixture.py", "0=1")
        self.assertIn("already-told", refused.stderr.lower().replace(" ", "-"))

    def test_simulation(self) -> None:
        cost = float(self.draw("simulation.py", "--trials", "40").split()[2].rstrip(","))
        self.assertTrue(2.38 < cost < 6, cost)

    def test_two_objectives(self) -> None:
        lines = self.draw("two_objectives.py", "--trials", "20").splitlines()[:-1]
        displacements = [float(line.split()[4]) for line in lines]
        self.assertGreater(len(lines), 4)
        self.assertEqual(displacements, sorted(displacements, reverse=True))

    def test_neural_network(self) -> None:
        accuracy = float(self.draw("neural_network.py", "--trials", "10", "--workers", "2").split()[2].rstrip(","))
        self.assertGreater(accuracy, 0.9)

    def test_federated(self) -> None:
        lines = self.draw("federated.py", "--trials", "9").splitlines()
        self.assertEqual(sum(int(word) for word in lines[0].split() if word.isdigit()), 9)
        self.assertGreater(len(lines[0].split("  ")), 1)

    def test_svc(self) -> None:
        self.check_tunes_and_resumes("tune_svc.py", "accuracy", max)

    def test_gradient_boosting(self) -> None:
        self.check_tunes_and_resumes("tune_gradient_boosting.py", "rmse", min)

    def test_a_refusal_is_readable(self) -> None:
        self.tune("tune_svc.py", 1)
        other_seed = self.run_example("tune_svc.py", "--name", "example", "--seed", "2")
        self.assertEqual(other_seed.returncode, 1)
        self.assertIn("/v1/studies: 409 ", other_seed.stderr)
        self.assertNotIn("Traceback", other_seed.stderr)

    def test_an_absent_service_is_told(self) -> None:
        run = subprocess.run(
            [sys.executable, EXAMPLES / "tune_svc.py", "--url", "http://127.0.0.1:1"],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(run.returncode, 1)
        self.assertIn("is the service running there?", run.stderr)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    unittest.main()

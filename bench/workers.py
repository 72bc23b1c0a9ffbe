#!/usr/bin/env python3
"""Eight workers at once on one study: no point handed out twice, no number twice, no request refused.

Runs on SQLite and on a Postgres server of its own, or on the database that --database names. Exits with 1 when one of
the three is broken, or when the service does not count as many completed trials as were told.
"""

import argparse
import contextlib
import json
import statistics
import sys
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

from functions import FUNCTIONS
from postgres import private_postgres
from service import Connection, running_service

FUNCTION = FUNCTIONS["branin"]


@dataclass
class Record:
    """What the workers saw. Appending to a list is safe between threads."""

    numbers: list[int] = field(default_factory=list)
    points: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    ask_seconds: list[float] = field(default_factory=list)


def work(url: str, study: str, worker: str, trials: int, start: threading.Barrier, record: Record) -> None:
    start.wait()
    try:
        with contextlib.closing(Connection(url)) as connection:
            for _ in range(trials):
                started = time.perf_counter()
                trial = connection.ask(study, worker=worker)
                record.ask_seconds.append(time.perf_counter() - started)
                record.numbers.append(trial["number"])
                record.points.append(json.dumps(trial["parameters"], sort_keys=True))
                value = FUNCTION([trial["parameters"][name] for name in ("x0", "x1")])
                connection.tell(study, trial["number"], value=value)
    except Exception as failure:
        record.failures.append(f"{worker}: {failure!r}")


def run(connection: Connection, url: str, workers: int, trials: int, acquisition: str) -> list[str]:
    """Runs the workers, prints a line, and returns what was broken."""
    sides = zip(("x0", "x1"), FUNCTION.low, FUNCTION.high)
    study = connection.create_study(
        {
            "name": f"workers-{uuid.uuid4()}",
            "parameters": [
                {"name": name, "type": "float", "low": low, "high": high} for name, low, high in sides
            ],
            "metrics": [{"name": "value", "goal": "minimize"}],
            "algorithm": {"acquisition": acquisition},
        }
    )
    record, start = Record(), threading.Barrier(workers)
    threads = [
        threading.Thread(target=work, args=(url, study, f"worker-{index}", trials, start, record))
        for index in range(workers)
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started

    broken = record.failures
    for what, seen in [("number", record.numbers), ("point", record.points)]:
        broken += [
            f"{what} {value} handed out {count} times" for value, count in Counter(seen).items() if count > 1
        ]
    completed = connection.call("GET", study)["trial_counts"]["completed"]
    if completed != workers * trials:
        broken.append(f"{completed} trials are completed, not {workers * trials}")
    print(
        f"{workers} workers x {trials} trials in {seconds:.1f} s: {len(record.numbers)} asks, "
        f"median {1e3 * statistics.median(record.ask_seconds or [0]):.1f} ms, {len(set(record.points))} different points, "
        f"{len(record.failures)} failed requests",
        flush=True,
    )
    return broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--trials", type=int, default=25, help="trials of each worker")
    parser.add_argument("--acquisition", default="auto")
    parser.add_argument("--stores", nargs="+", choices=["sqlite", "postgres"], default=["sqlite", "postgres"])
    parser.add_argument("--database", help="this database alone, instead of --stores")
    options = parser.parse_args()

    broken = []
    for store in ["database"] if options.database else options.stores:
        with contextlib.ExitStack() as stack:
            database = options.database
            if store == "postgres":
                database = stack.enter_context(private_postgres())
            url = stack.enter_context(running_service(database=database))
            print(f"{options.database or store}: ", end="", flush=True)
            connection = stack.enter_context(contextlib.closing(Connection(url)))
            broken += run(connection, url, options.workers, options.trials, options.acquisition)
    sys.exit("\n".join(broken) if broken else 0)


if __name__ == "__main__":
    main()

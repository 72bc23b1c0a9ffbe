#!/usr/bin/env python3
"""What the Python client adds to a call: `GET …/trials/0` and a heartbeat, through the client and over plain `http.client` on a
kept-alive connection, in turns. Prints medians in milliseconds.

    python bench/python_client.py --calls 1000
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from service import Connection, running_service

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients" / "python" / "src"))

import tellus  # noqa: E402


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000)
    options = parser.parse_args()
    with running_service() as url:
        study = tellus.Client(url).study("overhead", {"x": (0.0, 1.0)})
        trial = study.ask()
        plain = Connection(url)
        path = f"{study.path}/trials/0"
        token = {"lease_token": trial.record["lease_token"]}
        pairs = {
            "read": (lambda: study.get_trial(0), lambda: plain.call("GET", path)),
            "heartbeat": (trial.heartbeat, lambda: plain.call("POST", f"{path}/heartbeat", token)),
        }
        figures = {}
        for name, (ours, theirs) in pairs.items():
            with_client, without = [], []
            for _ in range(options.calls):
                with_client.append(seconds(ours))
                without.append(seconds(theirs))
            client, bare = statistics.median(with_client), statistics.median(without)
            figures[name] = {
                "client_ms": round(client * 1e3, 4),
                "plain_ms": round(bare * 1e3, 4),
                "added_ms": round((client - bare) * 1e3, 4),
            }
        print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

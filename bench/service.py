"""A Tellus server of a benchmark's own, and a connection to it that stays open.

The server is the release build, started on a free port of the loopback address with a data directory that goes away
with it. `TELLUS_BIN` names another binary than the one that `cargo build --release` makes here.
"""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
SECONDS_TO_START = 30
SECONDS_TO_STOP = 30


class Refused(Exception):
    """An answer other than 2xx."""

    def __init__(self, request: str, status: int, body: str):
        super().__init__(f"{request}: {status} {body}")
        self.status = status


class Connection:
    """One kept-alive HTTP connection; each thread needs its own."""

    def __init__(self, url: str):
        address = urllib.parse.urlsplit(url)
        self.http = http.client.HTTPConnection(address.hostname, address.port, timeout=600)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        self.http.request(method, path, data, {"Content-Type": "application/json"})
        response = self.http.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise Refused(f"{method} {path}", response.status, answer.decode(errors="replace"))
        return json.loads(answer)

    def close(self) -> None:
        self.http.close()

    def create_study(self, definition: dict[str, Any]) -> str:
        """Creates the study and returns its path."""
        return "/v1/studies/" + self.call("POST", "/v1/studies", definition)["id"]

    def ask(self, study: str, **request: Any) -> dict[str, Any]:
        """Asks for one trial."""
        [trial] = self.call("POST", f"{study}/ask", request)["trials"]
        return trial

    def tell(self, study: str, number: int, **metrics: float) -> None:
        self.call("POST", f"{study}/trials/{number}/tell", {"metrics": metrics})


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def release_binary() -> Path:
    """The server to measure, built first if it is not up to date."""
    if named := os.environ.get("TELLUS_BIN"):
        return Path(named).resolve()
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=REPOSITORY, check=True)
    return REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target") / "release" / "tellus"


@contextlib.contextmanager
def running_service(directory: Path | None = None, database: str | None = None) -> Iterator[str]:
    """Runs a server with an empty data directory inside `directory`, and yields its URL.

    `database` names another database than the SQLite file in the data directory.
    """
    binary = release_binary()
    with tempfile.TemporaryDirectory(prefix="tellus-bench-", dir=directory) as scratch:
        address = f"127.0.0.1:{free_port()}"
        command = [binary, "serve", "--listen", address, "--data-dir", scratch]
        if database:
            command += ["--database", database]
        # What configures a server of the user's must not reach this one.
        environment = {
            name: value
            for name, value in os.environ.items()
            if name != "DATABASE_URL" and not name.startswith("TELLUS_")
        }
        log_path = Path(scratch) / "server.log"
        with log_path.open("w") as log:
            server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until_ready(server, address, log_path)
            yield f"http://{address}"
        finally:
            server.terminate()
            try:
                server.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
                raise


def wait_until_ready(server: subprocess.Popen, address: str, log_path: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            with contextlib.closing(http.client.HTTPConnection(address, timeout=5)) as probe:
                probe.request("GET", "/readyz")
                if probe.getresponse().status == 200:
                    return
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the server did not start:\n{log_path.read_text()}")
        time.sleep(0.05)


@contextlib.contextmanager
def service_at(url: str | None, **settings: Any) -> Iterator[str]:
    """The service that already runs at `url`, or without one a server of the benchmark's own."""
    if url:
        yield url.rstrip("/")
    else:
        with running_service(**settings) as own:
            yield own

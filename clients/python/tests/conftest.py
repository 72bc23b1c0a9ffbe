"""A server of the tests' own. `TELLUS_BIN` names the program; the debug build is it without."""

import os
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import tellus

REPOSITORY = Path(__file__).resolve().parents[3]


def binary() -> Path:
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    return Path(os.environ.get("TELLUS_BIN", target / "debug" / "tellus")).resolve()


class Server:
    """A running `tellus serve`, which can be killed and started again on the same data and port."""

    def __init__(self, directory: str):
        self.directory = directory
        self.listen = "127.0.0.1:0"
        self.start()

    def start(self) -> None:
        command = [str(binary()), "serve", "--listen", self.listen, "--data-dir", self.directory]
        environment = {**os.environ, "RUST_LOG": "error"}
        environment.pop("DATABASE_URL", None)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip().startswith("API"):
                self.url = line.split()[1].removesuffix("/v1")
                self.listen = self.url.removeprefix("http://")
                return
        raise RuntimeError("the server did not start")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as directory:
        running = Server(directory)
        os.environ["TELLUS_URL"] = running.url
        yield running
        running.kill()


@pytest.fixture
def client(server: Server) -> tellus.Client:
    return tellus.Client(server.url)


@pytest.fixture
def name() -> str:
    """A study's name that nobody else has."""
    return f"test-{uuid.uuid4().hex[:12]}"

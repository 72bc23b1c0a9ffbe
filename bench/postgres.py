"""A Postgres server of a benchmark's own: initialized, started on a free port, and removed afterwards.

It keeps Postgres's defaults (fsync on), so that what is measured holds for a database that survives a power cut.
Run as root, it becomes the user nobody, since Postgres refuses to run as root.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from service import free_port

SECONDS_TO_START = 30


def binaries() -> Path:
    """The folder with initdb and postgres: that of PATH, else the newest that Debian installed."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(installed, key=lambda path: int(path.parent.parent.name), default=None)
    if newest is None:
        raise SystemExit("Postgres is not installed: apt-get install postgresql")
    return newest.parent


@contextlib.contextmanager
def private_postgres() -> Iterator[str]:
    """Runs a server with one empty database, and yields its URL."""
    folder = binaries()
    unprivileged = []
    with tempfile.TemporaryDirectory(prefix="tellus-postgres-") as scratch:
        if os.getuid() == 0:
            unprivileged = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
            shutil.chown(scratch, "nobody", "nogroup")
        data, port = f"{scratch}/data", free_port()
        initialize = [
            folder / "initdb",
            "--pgdata",
            data,
            "--username",
            "tellus",
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
        ]
        subprocess.run([*unprivileged, *initialize], cwd=scratch, check=True, stdout=subprocess.DEVNULL)
        serve = [folder / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", scratch]
        with open(f"{scratch}/log", "w") as log:
            server = subprocess.Popen(
                [*unprivileged, *serve], cwd=scratch, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            wait_until_ready(folder, server, port, Path(scratch))
            yield f"postgres://tellus@127.0.0.1:{port}/postgres"
        finally:
            # SIGINT is Postgres's fast shutdown: it ends the connections that are still open.
            server.send_signal(signal.SIGINT)
            server.wait()


def wait_until_ready(folder: Path, server: subprocess.Popen, port: int, scratch: Path) -> None:
    probe = [folder / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-q"]
    deadline = time.monotonic() + SECONDS_TO_START
    while subprocess.run(probe, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Postgres did not start:\n{(scratch / 'log').read_text()}")
        time.sleep(0.05)

#!/usr/bin/env python3
"""How many asks and tells a second one server and its Postgres bear on the machine at hand, and how soon they are answered.

    .venv/bin/python bench/load.py            # 10 min; needs Postgres, and wrk (apt-get install wrk)

Space-filling design, 64 connections, everything on one machine: wrk, the server and Postgres share its cores. Beside it, on
the same Postgres: Optuna's RDB storage with its RandomSampler in as many threads and processes as are quickest; and the
limit, pgbench with the statements that the server itself sends for an ask and a tell (taken from Postgres's log), in the
same transactions, from 64 connections.

Then: 1,000 workers on one study; whether an ask, a page of the list of studies and a page of trials stay as quick with
10,000 studies and with a million trials in one of them; and the server's memory.
"""

import argparse
import concurrent.futures
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import results
from postgres import binaries, private_postgres
from service import Connection, Refused, free_port, release_binary

HERE = Path(__file__).resolve().parent
CONNECTIONS = 64
#: Goals.
SHARE_OF_LIMIT, TIMES_OPTUNA, SLOWEST_MS, IDLE_MB = 0.5, 20, 100, 60
#: Values that stand for themselves in Postgres's log: a trial's number and a revision that nothing else has.
NUMBER, REVISION = 987_654_321, 777_000_111


class Server:
    """The release build on a database, and its process."""

    def __init__(self, database: str):
        self.url = f"http://127.0.0.1:{free_port()}"
        arguments = ["serve", "--listen", self.url.removeprefix("http://"), "--database", database]
        quiet = {"RUST_LOG": "error", "PATH": "/usr/bin:/bin"}
        self.process = subprocess.Popen(
            [release_binary(), *arguments], stdout=subprocess.DEVNULL, env=quiet
        )
        for _ in range(300):
            try:
                Connection(self.url).call("GET", "/readyz")
                return
            except (OSError, Refused):
                time.sleep(0.1)
        raise SystemExit("the server did not start")

    def memory_mb(self, what: str) -> float:
        """`VmRSS`: now; `VmHWM`: at most so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{what}:\s+(\d+) kB", status).group(1)) / 1024

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def study(connection: Connection) -> str:
    parameters = [{"name": f"x{axis}", "type": "float", "low": 0.0, "high": 1.0} for axis in range(4)]
    return connection.create_study(
        {
            "name": f"load-{uuid.uuid4()}",
            "parameters": parameters,
            "metrics": [{"name": "value", "goal": "minimize"}],
            "algorithm": {"acquisition": "space_filling"},
        }
    )


def told(connection: Connection, studies: list[str]) -> int:
    return sum(connection.call("GET", path)["trial_counts"]["completed"] for path in studies)


def press(server: Server, studies: list[str], connections: int, seconds: int) -> dict[str, float]:
    """Pairs of an ask and a tell a second, and the latency of a request in milliseconds."""
    connection = Connection(server.url)
    before = told(connection, studies)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "60s"]
    command += ["-s", str(HERE / "load.lua"), server.url, "--", *studies]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    latencies = {}
    for share in ("50", "99"):
        value, unit = re.search(rf"{share}%\s+([\d.]+)(us|ms|s)", said).groups()
        latencies[f"p{share}_ms"] = float(value) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]
    return {"pairs": (told(connection, studies) - before) / seconds, **latencies}


def statements(server: Server, database: str, log: Path) -> list[str]:
    """What the server sends for one ask and one tell, as a script for pgbench: each client has a study of its own."""
    connection = Connection(server.url)
    path = study(connection)
    identity = path.rsplit("/", 1)[1]
    sql(database, f"UPDATE studies SET next_number = {NUMBER}, revision = {REVISION} WHERE id = '{identity}'")
    # A first ask reads the whole study; the one after it is what is usual.
    connection.tell(path, connection.ask(path)["number"], value=1.0)
    sql(database, "ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()")
    time.sleep(1.5)
    begin = log.stat().st_size
    connection.tell(path, connection.ask(path)["number"], value=1.0)
    time.sleep(0.5)
    sql(database, "ALTER SYSTEM RESET log_statement", "SELECT pg_reload_conf()")
    with log.open() as file:
        file.seek(begin)
        entries = re.split(r"^\d{4}-\d\d-\d\d [\d:.]+ \w+ ", file.read(), flags=re.M)
    return transactions(entries, identity)


def transactions(entries: list[str], identity: str) -> list[str]:
    open_ones: dict[str, list[str]] = {}
    script, last = [], {}
    for entry in entries:
        found = re.match(r"\[(\d+)\] (?:LOG|DETAIL): +(?:execute [^:]+: |statement: |parameters: )(.*)", entry, re.S)
        if not found:
            continue
        process, text = found.group(1), found.group(2).strip()
        if "DETAIL" in entry:
            values = dict(re.findall(r"\$(\d+) = ('(?:[^']|'')*'|NULL)", text))
            open_ones[process][-1] = re.sub(r"\$(\d+)", lambda at: values[at.group(1)], last[process])
            continue
        last[process] = text
        open_ones.setdefault(process, []).append(text)
        if text in ("COMMIT", "ROLLBACK") or not re.match("BEGIN", open_ones[process][0]):
            # A statement outside of a transaction is written once its values are known.
            if text not in ("COMMIT", "ROLLBACK"):
                continue
            whole = open_ones.pop(process)
            if any(identity in statement for statement in whole):
                script += [varied(statement, identity) for statement in whole]
    return script


def varied(statement: str, identity: str) -> str:
    """The statement for any client's study, at its next trial and revision."""
    own = "('00000000-0000-7000-8000-' || lpad(:client_id::text, 12, '0'))::uuid"
    statement = statement.replace(f"'{identity}'", own)
    statement = re.sub(r"'(98765432\d)'", lambda at: f"(:n + {int(at.group(1)) - NUMBER - 1})", statement)
    statement = re.sub(r"'(7770001\d\d)'", lambda at: f"(:r + {int(at.group(1)) - REVISION})", statement)
    # The point's key.
    return re.sub(r"'\\x[0-9a-f]{64}'", r"('\\x' || md5(:n::text) || md5(:n::text))::bytea", " ".join(statement.split()))


def limit(database: str, script: list[str], seconds: int) -> float:
    """Scripts a second from as many connections."""
    base = "('00000000-0000-7000-8000-' || lpad(client::text, 12, '0'))::uuid"
    columns = query(database, "SELECT string_agg(column_name, ',') FROM information_schema.columns "
                              "WHERE table_name = 'studies' AND column_name NOT IN ('id', 'name')")
    sql(database, f"INSERT INTO studies (id, name, {columns}) SELECT {base}, 'limit-' || client, {columns} FROM "
                  f"(SELECT * FROM studies ORDER BY id DESC LIMIT 1) AS model, generate_series(0, {CONNECTIONS - 1}) AS client")
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write("\\set n :n + 1\n\\set r :r + 10\n" + "".join(f"{statement};\n" for statement in script))
        file.flush()
        command = [binaries() / "pgbench", "-n", "-M", "prepared", "-c", str(CONNECTIONS), "-j", "2", "-T", str(seconds)]
        command += ["-D", "n=0", "-D", "r=0", "-f", file.name, database]
        said = subprocess.run(command, capture_output=True, text=True)
    if said.returncode or "number of failed transactions: 0 " not in said.stdout:
        raise SystemExit(said.stdout + said.stderr)
    return float(re.search(r"tps = ([\d.]+)", said.stdout).group(1))


def sql(database: str, *statements: str) -> None:
    for statement in statements:
        subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", database, "-c", statement], check=True, stdout=subprocess.DEVNULL)


def query(database: str, statement: str) -> str:
    return subprocess.run(["psql", "-At", database, "-c", statement], check=True, capture_output=True, text=True).stdout.strip()


def optuna_trials(database: str, processes: int, threads: int, seconds: int) -> float:
    """Trials a second of Optuna's RDB storage."""
    code = f"""
import threading, time, optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.load_study(study_name="load", storage={database!r}, sampler=optuna.samplers.RandomSampler())
end = time.monotonic() + {seconds}
def work():
    while time.monotonic() < end:
        trial = study.ask()
        study.tell(trial, sum(trial.suggest_float(f"x{{axis}}", 0, 1) for axis in range(4)))
threads = [threading.Thread(target=work) for _ in range({threads})]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""
    before = int(query(database.replace("+psycopg2", ""), "SELECT count(*) FROM trials WHERE state = 'COMPLETE'"))
    begin = time.monotonic()
    workers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(processes)]
    if any(worker.wait() for worker in workers):
        raise SystemExit("Optuna failed")
    took = time.monotonic() - begin
    after = int(query(database.replace("+psycopg2", ""), "SELECT count(*) FROM trials WHERE state = 'COMPLETE'"))
    return (after - before) / took


def optuna_limit(database: str, seconds: int) -> float:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sql(database, "CREATE DATABASE optuna")
    of_optuna = database.rsplit("/", 1)[0].replace("postgres://", "postgresql+psycopg2://") + "/optuna"
    optuna.create_study(study_name="load", storage=of_optuna)
    return max(optuna_trials(of_optuna, processes, threads, seconds) for processes, threads in ((1, 1), (2, 1), (1, 16), (4, 4)))


def median_ms(repeats: int, call: Any) -> float:
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(times)


def fill(database: str, path: str, trials: int) -> None:
    """Copies a study's first trial until there are so many."""
    identity = path.rsplit("/", 1)[1]
    columns = query(database, "SELECT string_agg(column_name, ',') FROM information_schema.columns WHERE table_name = 'trials' "
                              "AND column_name NOT IN ('number', 'point_key', 'study_id')")
    key = "('\\x' || md5(n::text) || md5(n::text))::bytea"
    sql(database,
        f"INSERT INTO trials (study_id, number, point_key, {columns}) SELECT study_id, n, {key}, {columns} FROM "
        f"(SELECT * FROM trials WHERE study_id = '{identity}' AND number = 0) AS model, "
        f"generate_series((SELECT next_number FROM studies WHERE id = '{identity}'), {trials - 1}) AS n",
        f"UPDATE studies SET next_number = {trials}, completed_trials = {trials}, spent_trials = {trials}, revision = revision + 1 "
        f"WHERE id = '{identity}'", "ANALYZE")


def sizes(database: str) -> list[dict[str, float]]:
    """Medians in milliseconds of an ask and of lists, and the memory, by how many trials one study has."""
    rows = []
    server = Server(database)
    connection = Connection(server.url)
    path = study(connection)
    connection.tell(path, connection.ask(path)["number"], value=1.0)
    server.stop()
    for trials in (1_000, 100_000, 1_000_000):
        fill(database, path, trials)
        server = Server(database)
        connection = Connection(server.url)
        begin = time.perf_counter()
        connection.ask(path)
        first = 1e3 * (time.perf_counter() - begin)
        rows.append({
            "trials": trials,
            "first_ask_ms": first,
            "ask_ms": median_ms(100, lambda: connection.ask(path)),
            "trials_page_ms": median_ms(100, lambda: connection.call("GET", f"{path}/trials?limit=100&order=desc")),
            "studies_page_ms": median_ms(100, lambda: connection.call("GET", "/v1/studies?limit=100")),
            "memory_mb": server.memory_mb("VmRSS"),
        })
        server.stop()
        print(rows[-1], flush=True)
    return rows


def many_studies(server: Server, count: int) -> None:
    """So many studies more."""
    local = threading.local()

    def one(_: int) -> None:
        if not hasattr(local, "connection"):
            local.connection = Connection(server.url)
        study(local.connection)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(one, range(count)))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=int, default=20)
    given = options.parse_args()
    found: dict[str, Any] = {}
    with private_postgres() as database:
        log = Path(query(database, "SHOW data_directory")).parent / "log"
        server = Server(database)
        found["idle_mb"] = server.memory_mb("VmRSS")
        connection = Connection(server.url)
        one = study(connection)
        found["one_study"] = press(server, [one], CONNECTIONS, given.seconds)
        several = [study(connection) for _ in range(CONNECTIONS)]
        found["a_study_each"] = press(server, several, CONNECTIONS, given.seconds)
        found["workers_1000"] = press(server, [study(connection)], 1000, given.seconds)
        found["memory_mb"] = {what: server.memory_mb(what) for what in ("VmRSS", "VmHWM")}
        sql(database, "VACUUM ANALYZE")
        found["bytes_a_trial"] = {
            table: int(query(database, f"SELECT pg_total_relation_size('{table}') / (SELECT count(*) FROM trials)"))
            for table in ("trials", "events")
        }
        print(found, flush=True)
        found["limit"] = limit(database, statements(server, database, log), given.seconds)
        print("limit", found["limit"], flush=True)
        found["optuna"] = optuna_limit(database, given.seconds)
        print("optuna", found["optuna"], flush=True)
        begin = time.perf_counter()
        many_studies(server, 10_000)
        found["studies_a_second"] = 10_000 / (time.perf_counter() - begin)
        found["after_10000_studies"] = press(server, several, CONNECTIONS, given.seconds)
        server.stop()
        found["sizes"] = sizes(database)
    results.write("load.json", found)
    report(found)


def report(found: dict[str, Any]) -> None:
    print("| 64 connections | ask + tell, pairs a second | p50, ms | p99, ms |\n| --- | ---: | ---: | ---: |")
    titles = {
        "a_study_each": "Tellus, 64 studies",
        "one_study": "Tellus, one study",
        "after_10000_studies": "Tellus, 64 studies among 10,000",
        "workers_1000": "Tellus, one study, 1,000 connections",
    }
    for name, title in titles.items():
        row = found[name]
        print(f"| {title} | {row['pairs']:.0f} | {row['p50_ms']:.1f} | {row['p99_ms']:.1f} |")
    print(f"| the same statements by pgbench | {found['limit']:.0f} | | |")
    print(f"| Optuna, RDB storage, RandomSampler | {found['optuna']:.1f} | | |")
    print("\nbytes a trial, indexes included: " + ", ".join(f"{table} {size}" for table, size in found["bytes_a_trial"].items()))
    best = max(found[name]["pairs"] for name in ("a_study_each", "one_study"))
    print(f"\n{best / found['limit']:.2f} of the limit (goal {SHARE_OF_LIMIT}), {best / found['optuna']:.0f} times Optuna (goal {TIMES_OPTUNA}); "
          f"p99 goal {SLOWEST_MS} ms; idle {found['idle_mb']:.0f} MB (goal {IDLE_MB}), at most {found['memory_mb']['VmHWM']:.0f} MB under load\n")
    print("| trials in the study | first ask after a start, ms | ask, ms | page of 100 trials, ms | page of 100 of 10,000 studies, ms | memory, MB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in found["sizes"]:
        print(f"| {row['trials']:,} | {row['first_ask_ms']:.0f} | {row['ask_ms']:.1f} | {row['trials_page_ms']:.1f} | {row['studies_page_ms']:.1f} | {row['memory_mb']:.0f} |")


if __name__ == "__main__":
    main()

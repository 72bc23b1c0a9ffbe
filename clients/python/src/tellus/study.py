"""Studies and trials: what is asked, and what is told."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import space as spaces
from ._http import Connection
from .errors import LeaseLost, NotFound
from .plot import Picture, picture

if TYPE_CHECKING:
    import pandas

PAGE = 1000


class Client:
    """A Tellus service: `Client()`, `Client("http://lab:8080", token="…")`."""

    def __init__(self, url: str | None = None, *, token: str | None = None, **options: Any):
        self.connection = Connection(url, token=token, **options)

    def study(
        self,
        name: str,
        space: spaces.Space | Sequence[Mapping[str, Any]] | None = None,
        metrics: Mapping[str, Any] | Sequence[Mapping[str, Any]] | str = "minimize",
        *,
        constraints: Sequence[spaces.Constraint] = (),
        **definition: Any,
    ) -> Study:
        """The study of this name. With a `space` it is created, unless it is there with the same definition.

        `definition` are further fields of `POST /v1/studies`: `seed`, `budget`, `algorithm`, `metadata` …
        """
        if space is None:
            found = self.connection.get("/v1/studies", name=name)["studies"]
            if not found:
                problem = {"detail": f"there is no study {name!r}; give a space to create it", "title": "Not found"}
                raise NotFound("GET /v1/studies", 404, problem)
            return Study(self.connection, found[0])
        body = {"name": name, "parameters": spaces.parameters(space), "metrics": spaces.metrics(metrics)}
        if constraints:
            body["parameter_constraints"] = [constraint.definition() for constraint in constraints]
        return Study(self.connection, self.connection.post("/v1/studies", body | definition))

    def open(self, study: str) -> Study:
        """The study of this id."""
        return Study(self.connection, self.connection.get(f"/v1/studies/{urllib.parse.quote(study)}"))

    def studies(self, **query: Any) -> Iterator[Study]:
        """All studies, by creation; `query` as in `GET /v1/studies`."""
        for record in _pages(self.connection, "/v1/studies", "studies", query):
            yield Study(self.connection, record)

    def close(self) -> None:
        """Closes this thread's connection."""
        self.connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Study:
    """One black-box problem. `record` is what the service last said of it."""

    def __init__(self, connection: Connection, record: dict[str, Any]):
        self.connection = connection
        self.record = record

    @property
    def id(self) -> str:
        return str(self.record["id"])

    @property
    def name(self) -> str:
        return str(self.record["name"])

    @property
    def path(self) -> str:
        return f"/v1/studies/{self.id}"

    @property
    def objectives(self) -> list[str]:
        """The names of the metrics that are optimized."""
        return [m["name"] for m in self.record["metrics"] if m["goal"] in ("minimize", "maximize")]

    def __repr__(self) -> str:
        return f"<Study {self.name!r} {self.id} at {self.connection.url}>"

    def refresh(self) -> Study:
        """Reads it anew."""
        self.record = self.connection.get(self.path)
        return self

    def ask(self, *, worker: str | None = None, **request: Any) -> Trial:
        """The next trial to evaluate. `request`: `lease_seconds`, `sticky` …"""
        return self.ask_batch(1, worker=worker, **request)[0]

    def ask_batch(self, count: int, *, worker: str | None = None, **request: Any) -> list[Trial]:
        """The next trials, chosen together. Fewer where the space or the budget has no more."""
        body = {"count": count, **request}
        if worker is not None:
            body["worker"] = worker
        answer = self.connection.post(f"{self.path}/ask", body)
        return [Trial(self, record) for record in answer["trials"]]

    def tell(self, number: int, metrics: Any = None, **outcome: Any) -> Trial:
        """Tells what became of a trial: its metrics (a number where the study has one objective), or one of `failed`,
        `stopped`, `abandoned`."""
        if metrics is not None:
            outcome["metrics"] = _metrics(self, metrics)
        return Trial(self, self.connection.post(f"{self.path}/trials/{number}/tell", outcome))

    @contextlib.contextmanager
    def trial(self, *, worker: str | None = None, **request: Any) -> Iterator[Trial]:
        """`with study.trial() as trial: trial.tell(…)`: an exception inside is told as a failure of the point and goes
        on; an interruption as abandoned."""
        trial = self.ask(worker=worker, **request)
        try:
            yield trial
        except Exception as error:
            trial.fail(repr(error))
            raise
        except BaseException as error:
            trial.abandon(repr(error))
            raise

    def attach(self, trials: Iterable[Mapping[str, Any]]) -> list[int]:
        """Attaches trials evaluated elsewhere (`{"parameters": …, "metrics": …}`), all or none of each 10,000; those
        without an outcome are queued. Returns their numbers."""
        bodies = [dict(trial) for trial in trials]
        for body in bodies:
            if body.get("metrics") is not None:
                body["metrics"] = _metrics(self, body["metrics"])
            if isinstance(body.get("ended_at"), datetime.datetime):
                body["ended_at"] = body["ended_at"].astimezone(datetime.timezone.utc).isoformat()
        numbers: list[int] = []
        for start in range(0, len(bodies), 10_000):
            answer = self.connection.post(f"{self.path}/trials", {"trials": bodies[start : start + 10_000]})
            numbers += answer["numbers"]
        return numbers

    def enqueue(self, *points: Mapping[str, Any]) -> list[int]:
        """Queues points to be handed out next."""
        return self.attach({"parameters": dict(point)} for point in points)

    def best(self) -> Best:
        """The best feasible trial (the Pareto front of several objectives), and what the model recommends."""
        answer = self.connection.get(f"{self.path}/best")
        one = answer.get("recommended")
        return Best(
            [Trial(self, record) for record in answer["trials"]],
            [Recommendation(**_known(r)) for r in answer.get("recommended_front") or ([one] if one else [])],
            answer.get("reason"),
        )

    def trials(self, **query: Any) -> Iterator[Trial]:
        """All trials by number; `state="completed"` those alone."""
        for record in _pages(self.connection, f"{self.path}/trials", "trials", query):
            yield Trial(self, record)

    def get_trial(self, number: int) -> Trial:
        """The trial of this number."""
        return Trial(self, self.connection.get(f"{self.path}/trials/{number}"))

    def predict(self, points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What the model predicts at some points: `POST …/predict`."""
        return self.connection.post(f"{self.path}/predict", {"points": [dict(point) for point in points]})

    def insights(self) -> dict[str, Any]:
        """What was learned: `GET …/insights`."""
        return self.connection.get(f"{self.path}/insights")

    def events(self, after: int | None = None) -> Iterator[dict[str, Any]]:
        """Each change behind revision `after` (from now on where absent), as it happens; the connection is taken up
        again where it ends."""
        revision = self.refresh().record["revision"] if after is None else after
        return self.connection.stream(f"{self.path}/events", revision)

    def to_frame(self) -> pandas.DataFrame:
        """All trials as a pandas frame, indexed by number: `parameters.…`, `metrics.…` and what else is known."""
        import pandas

        kept = ("state", "reason", "origin", "worker", "created_at", "ended_at")
        rows = []
        for trial in self.trials():
            row: dict[str, Any] = {"number": trial.number, **{key: trial.record.get(key) for key in kept}}
            row |= {f"parameters.{name}": value for name, value in trial.parameters.items()}
            for name, seen in (trial.record.get("metrics") or {}).items():
                row[f"metrics.{name}"] = seen["value"]
                if seen.get("sem") is not None:
                    row[f"metrics.{name}.sem"] = seen["sem"]
            rows.append(row)
        columns = ["number", *kept] if not rows else None
        frame = pandas.DataFrame(rows, columns=columns).set_index("number")
        for column in ("created_at", "ended_at"):
            frame[column] = pandas.to_datetime(frame[column], format="ISO8601")
        return frame

    def plot(self) -> Picture:
        """Each trial and the best so far; two objectives against each other where there are several. Shown by notebooks;
        `.save("history.svg")` keeps it."""
        return picture(self.record, (trial.record for trial in self.trials(state="completed")))

    def change(self, **patch: Any) -> Study:
        """Changes `state`, `metadata`, `budget` or lease settings."""
        self.record = self.connection.call("PATCH", self.path, patch)
        return self

    def pause(self) -> Study:
        return self.change(state="paused")

    def resume(self) -> Study:
        return self.change(state="active")

    def complete(self) -> Study:
        return self.change(state="completed")

    def delete(self) -> None:
        """Removes it with all its trials."""
        self.connection.call("DELETE", self.path)


class Trial:
    """One point and what became of it. `record` is what the service last said of it."""

    def __init__(self, study: Study, record: dict[str, Any]):
        self.study = study
        self.record = record

    @property
    def number(self) -> int:
        return int(self.record["number"])

    @property
    def state(self) -> str:
        return str(self.record["state"])

    @property
    def parameters(self) -> dict[str, Any]:
        """The point; parameters that its conditions switch off are absent."""
        return dict(self.record["parameters"])

    @property
    def metrics(self) -> dict[str, float]:
        """The values that were told; empty before."""
        return {name: seen["value"] for name, seen in (self.record.get("metrics") or {}).items()}

    @property
    def value(self) -> float | None:
        """The value of the study's only objective."""
        names = self.study.objectives
        return self.metrics.get(names[0]) if len(names) == 1 else None

    def __getitem__(self, parameter: str) -> Any:
        return self.record["parameters"][parameter]

    def __repr__(self) -> str:
        return f"<Trial {self.number} {self.state} {self.parameters} {self.metrics or ''}>"

    def tell(self, value: Any = None, /, **metrics: Any) -> Trial:
        """`trial.tell(0.3)`, `trial.tell(loss=0.3, seconds=12)`, `trial.tell(loss=(0.3, 0.01))` with a standard error."""
        return self._tell(metrics=_metrics(self.study, metrics if value is None else value))

    def fail(self, reason: str = "") -> Trial:
        """The point itself cannot be evaluated: it is learned from, and not proposed again."""
        return self._tell(failed=reason[:10_000])

    def stop(self) -> Trial:
        """It was ended early."""
        return self._tell(stopped=True)

    def abandon(self, reason: str = "") -> Trial:
        """It was given up for a reason that says nothing about the point."""
        return self._tell(abandoned=reason[:10_000])

    def heartbeat(self) -> bool:
        """Extends the lease. Whether the evaluation should stop: it is no longer wanted."""
        return self._signal("heartbeat", {})

    def report(self, step: int, value: Any = None, /, **metrics: Any) -> bool:
        """Reports an intermediate value; whether the evaluation should stop."""
        told = _metrics(self.study, metrics if value is None else value)
        return self._signal("measurements", {"step": step, "metrics": told})

    def _signal(self, verb: str, body: dict[str, Any]) -> bool:
        path = f"{self.study.path}/trials/{self.number}/{verb}"
        try:
            return bool(self.study.connection.post(path, body | self._lease())["should_stop"])
        except LeaseLost:
            return True

    def annotate(self, **patch: Any) -> Trial:
        """Changes `note`, `tags` or `metadata`."""
        path = f"{self.study.path}/trials/{self.number}"
        self.record = self.study.connection.call("PATCH", path, patch)
        return self

    def _lease(self) -> dict[str, Any]:
        token = self.record.get("lease_token")
        return {"lease_token": token} if token and self.state == "running" else {}

    def _tell(self, **outcome: Any) -> Trial:
        path = f"{self.study.path}/trials/{self.number}/tell"
        self.record = self.study.connection.post(path, outcome | self._lease())
        return self

    def __enter__(self) -> Trial:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self.fail(repr(error))
        elif error is not None:
            self.abandon(repr(error))


@dataclasses.dataclass(frozen=True)
class Recommendation:
    """A point with a good posterior mean; `predicted` maps each metric to its `mean` and `sd`."""

    parameters: dict[str, Any]
    predicted: dict[str, dict[str, float]]


@dataclasses.dataclass(frozen=True)
class Best:
    """The best feasible trials, and what the model recommends; a `reason` where there is none yet."""

    trials: list[Trial]
    recommended: list[Recommendation]
    reason: str | None

    @property
    def trial(self) -> Trial | None:
        """The best trial; the first of the front."""
        return self.trials[0] if self.trials else None


def _known(recommendation: Mapping[str, Any]) -> dict[str, Any]:
    return {name: recommendation[name] for name in ("parameters", "predicted")}


def _metrics(study: Study, told: Any) -> dict[str, Any]:
    """Metrics as the service takes them: a number is of the only objective, a pair a value with its standard error."""
    if not isinstance(told, Mapping):
        names = study.objectives
        if len(names) != 1:
            raise TypeError(f"the study has the objectives {', '.join(names)}: tell them by name")
        told = {names[0]: told}
    return {name: _observation(value) for name, value in told.items()}


def _observation(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (tuple, list)):
        mean, sem = value
        return {"value": float(mean), "sem": float(sem)}
    return float(value)


def _pages(connection: Connection, path: str, of: str, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    query = {"limit": PAGE, **query}
    while True:
        page = connection.get(path, **query)
        yield from page[of]
        if not page.get("next_cursor"):
            return
        query["cursor"] = page["next_cursor"]

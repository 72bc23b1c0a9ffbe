"""Ask and tell, what is refused, and what survives."""

import asyncio
import json
import math
import threading
from pathlib import Path

import pytest

import tellus
from tellus.space import parameters

REPOSITORY = Path(__file__).resolve().parents[3]
SPACE = {
    "x": (-5.0, 10.0),
    "kernel": tellus.Categorical(["rbf", "poly"]),
    "degree": tellus.Int(2, 5, when={"kernel": "poly"}),
}


def test_ask_and_tell(client, name):
    study = client.study(name, SPACE, {"loss": "minimize", "seconds": "record"}, seed=3)
    degrees = 0
    for number in range(12):
        trial = study.ask(worker="w")
        assert trial.number == number and trial.state == "running"
        assert ("degree" in trial.parameters) == (trial["kernel"] == "poly")
        degrees += "degree" in trial.parameters
        if number == 3:
            assert trial.fail("out of memory").state == "failed"
        else:
            trial.tell(loss=(trial["x"] ** 2, 0.1), seconds=1)
            assert trial.state == "completed" and trial.metrics["loss"] == trial["x"] ** 2
    assert degrees > 0
    best = study.best()
    assert best.trial.value == min(t.value for t in study.trials(state="completed"))
    assert set(best.recommended[0].predicted["loss"]) >= {"mean", "sd"}
    assert client.study(name).id == client.open(study.id).id == study.id


def test_refusals_are_exceptions_that_say_what_to_change(client, name):
    with pytest.raises(tellus.Invalid) as refused:
        client.study(name, {"x": (1.0, 0.0), "y": tellus.Float(-1, 1, log=True)})
    assert set(refused.value.faults) == {"/parameters/0/high", "/parameters/1/low"} or len(refused.value.faults) == 2
    study = client.study(name, {"x": (0.0, 1.0)}, budget={"trials": 1})
    with pytest.raises(tellus.Conflict):
        client.study(name, {"x": (0.0, 2.0)})
    trial = study.ask()
    trial.tell(1)
    with pytest.raises(tellus.AlreadyTold):
        study.tell(0, failed="no")
    with pytest.raises(tellus.BudgetSpent):
        study.ask()
    study.pause()
    with pytest.raises(tellus.StudyNotActive):
        study.ask()
    with pytest.raises(tellus.NotFound):
        client.study("there is none")
    with pytest.raises(TypeError):
        parameters({"x": "rbf"})


def test_a_server_that_is_not_there_is_told():
    with pytest.raises(tellus.Unreachable, match="is the service running there"):
        tellus.Client("http://127.0.0.1:1", patience=0.3).study("a")


def test_a_restart_is_waited_for_and_nothing_is_done_twice(server, client, name):
    study = client.study(name, {"x": (0.0, 1.0)})
    study.ask().tell(0.5)
    server.kill()
    restarted = threading.Timer(1.0, server.start)
    restarted.start()
    trial = study.ask()
    restarted.join()
    assert trial.number == 1
    trial.tell(0.25)
    assert [t.number for t in study.trials()] == [0, 1]


def test_a_batch_attached_trials_and_a_frame(client, name):
    study = client.study(name, SPACE, {"loss": "minimize"})
    numbers = study.attach(
        [
            {"parameters": {"x": 1.0, "kernel": "rbf"}, "metrics": 2.0},
            {"parameters": {"x": 2.0, "kernel": "poly", "degree": 3}, "failed": "boom"},
        ]
    )
    assert numbers == [0, 1]
    study.enqueue({"x": 7.0, "kernel": "rbf"})
    batch = study.ask_batch(4)
    assert len(batch) == 4 and batch[0].parameters == {"x": 7.0, "kernel": "rbf"}
    assert len({json.dumps(t.parameters) for t in batch}) == 4
    frame = study.to_frame()
    assert list(frame["state"]) == ["completed", "failed"] + ["running"] * 4
    assert frame["metrics.loss"].iloc[0] == 2.0 and math.isnan(frame["parameters.degree"].iloc[0])
    assert str(frame["created_at"].dtype).startswith("datetime64")
    assert "<circle" in study.plot().svg


def test_events_are_followed(client, name):
    study = client.study(name, {"x": (0.0, 1.0)})
    events = study.events(0)
    assert next(events)["type"] == "study_created"
    study.ask().tell(1.0)
    kinds = [next(events)["type"] for _ in range(2)]
    assert "trial_told" in kinds


def test_async(server, name):
    async def run() -> int:
        async with tellus.AsyncClient(server.url) as client:
            study = await client.study(name, {"x": (0.0, 1.0)})

            async def work() -> None:
                for _ in range(3):
                    trial = await study.ask()
                    await trial.tell(trial.parameters["x"])

            await asyncio.gather(*(work() for _ in range(4)))
            return len([trial async for trial in study.trials(state="completed")])

    assert asyncio.run(run()) == 12


def test_every_path_is_in_the_document(client, name, monkeypatch):
    document = json.loads((REPOSITORY / "openapi" / "openapi.json").read_text())
    known = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    called: set[tuple[str, str]] = set()
    send = client.connection.call

    def spy(method, path, body=None):
        parts = path.partition("?")[0].split("/")
        if len(parts) > 3:
            parts[3] = "{study}"
        if len(parts) > 5:
            parts[5] = "{number}"
        called.add((method, "/".join(parts)))
        return send(method, path, body)

    monkeypatch.setattr(client.connection, "call", spy)
    study = client.study(name, {"x": (0.0, 1.0)})
    trial = study.ask()
    trial.heartbeat()
    trial.annotate(note="odd")
    trial.tell(1)
    study.get_trial(0)
    study.attach([{"parameters": {"x": 0.5}}])
    list(study.trials())
    list(client.studies(name=name))
    study.best()
    study.refresh().complete().delete()
    assert len(called) >= 12 and called <= known, called - known

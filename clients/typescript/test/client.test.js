// Against the server at TELLUS_URL.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { Client, minimize, Refused, Unreachable } from "../dist/index.js";

const client = new Client(process.env.TELLUS_URL);
const parameters = [
  { name: "x", type: "float", low: -5, high: 10 },
  { name: "kernel", type: "categorical", choices: ["rbf", "poly"] },
  { name: "degree", type: "int", low: 2, high: 5, when: { kernel: ["poly"] } },
];
const metrics = [{ name: "loss", goal: "minimize" }];
const fresh = () => `ts-${randomUUID()}`;

test("twenty trials with a condition and a failure", async () => {
  const study = await client.study({ name: fresh(), parameters, metrics, seed: 1 });
  for (let number = 0; number < 20; number++) {
    const trial = await study.ask({ worker: "node" });
    assert.equal(trial.number, number);
    assert.equal("degree" in trial.parameters, trial.parameters.kernel === "poly");
    if (number === 4) await trial.fail("out of memory");
    else await trial.tell({ loss: { value: trial.parameters.x ** 2, sem: 0.1 } });
  }
  const states = [];
  for await (const trial of study.trials()) states.push(trial.state);
  assert.equal(states.filter((state) => state === "completed").length, 19);
  assert.equal(states[4], "failed");
  const best = await study.best();
  assert.ok(best.trials[0].metrics.loss.value < 4, "better than chance");
  assert.ok(Number.isFinite(best.recommended.predicted.loss.mean));
  assert.equal((await client.find(study.record.name)).id, study.id);
});

test("a refusal is an exception", async () => {
  const wrong = { name: fresh(), parameters: [{ name: "x", type: "float", low: 1, high: 0 }], metrics };
  await assert.rejects(client.study(wrong), (error) => {
    assert.ok(error instanceof Refused);
    assert.equal(error.status, 422);
    assert.equal(error.reason, "invalid");
    return Object.keys(error.faults).some((pointer) => pointer.startsWith("/parameters/0"));
  });
  const study = await client.study({ name: fresh(), parameters, metrics, budget: { trials: 1 } });
  await (await study.ask()).tell(1);
  await assert.rejects(study.ask(), (error) => error.reason === "budget-spent");
  await assert.rejects(new Client("http://127.0.0.1:1", { patience: 200 }).find("a"), Unreachable);
});

test("minimize with workers, and events", async () => {
  const { study, best } = await minimize(({ x }) => (x - 3) ** 2, {
    client,
    parameters: parameters.slice(0, 1),
    trials: 20,
    workers: 2,
    seed: 3,
  });
  assert.ok(best.metrics.value.value < 0.5);
  const kinds = new Set();
  for await (const event of study.events(0)) {
    kinds.add(event.type);
    if (event.id === (await study.refresh()).record.revision) break;
  }
  assert.ok(kinds.has("study_created") && kinds.has("trial_told"));
});

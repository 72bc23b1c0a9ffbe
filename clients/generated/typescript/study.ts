// Twenty trials through the client that OpenAPI Generator makes for TypeScript (fetch).
import { Configuration, Goal, ResponseError, StudiesApi, TrialsApi, type TellRequest } from "./client/index.js";

declare const process: { env: Record<string, string | undefined> };

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

const token = process.env["TELLUS_TOKEN"];
const configuration = new Configuration({
  basePath: process.env["TELLUS_URL"] ?? "http://127.0.0.1:8080",
  ...(token ? { accessToken: token } : {}),
});
const studies = new StudiesApi(configuration);
const trials = new TrialsApi(configuration);

const study = await studies.createStudy({
  idempotencyKey: crypto.randomUUID(),
  studyRequest: {
    name: `generated-typescript-${crypto.randomUUID()}`,
    parameters: [
      { type: "float", name: "x", low: -5, high: 10 },
      { type: "categorical", name: "kernel", choices: ["rbf", "poly"] },
      { type: "int", name: "degree", low: 2, high: 5, when: { kernel: ["poly"] } },
    ],
    metrics: [{ name: "loss", goal: Goal.Minimize }],
    seed: 1,
  },
});
for (let number = 0; number < 20; number++) {
  const asked = await trials.ask({ study: study.id, askRequest: { worker: "typescript" } });
  const trial = asked.trials[0];
  check(trial !== undefined && trial.number === number, "trials are numbered");
  const point = trial.parameters as Record<string, any>;
  check("degree" in point === (point["kernel"] === "poly"), "the degree is there for poly alone");
  const loss = point["x"] ** 2 + (point["degree"] ?? 0);
  const tellRequest: TellRequest = number === 4 ? { failed: "out of memory" } : { metrics: { loss } };
  const told = await trials.tell({ study: study.id, number, tellRequest });
  check(told.state === (number === 4 ? "failed" : "completed"), told.state);
}
try {
  await trials.tell({ study: study.id, number: 0, tellRequest: { failed: "something else" } });
  check(false, "telling something else is refused");
} catch (refused) {
  check(refused instanceof ResponseError && refused.response.status === 409, String(refused));
  check((await refused.response.text()).includes("already-told"), "the cause is said");
}
const counts = (await studies.getStudy({ study: study.id })).trialCounts;
check(counts["completed"] === 19 && counts["failed"] === 1, JSON.stringify(counts));
const best = await studies.getBest({ study: study.id });
console.log(`typescript: 20 trials, best ${best.trials[0]?.metrics?.["loss"]?.value.toFixed(4)}`);

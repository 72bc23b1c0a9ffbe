// What the form for a study holds, as text; the request that it makes; and the same request in several languages.

export interface ParameterForm {
  key: number;
  name: string;
  type: "float" | "int" | "categorical" | "ordinal";
  low: string;
  high: string;
  step: string;
  scale: "linear" | "log";
  labels: string;
  whenName: string;
  whenValues: string;
}
export interface MetricForm { key: number; name: string; goal: "minimize" | "maximize" | "constrain" | "record"; lower: string; upper: string }
export interface StudyForm { name: string; parameters: ParameterForm[]; metrics: MetricForm[]; budget: string; acquisition: string; seed: string }

export const blank = (index: number): ParameterForm => ({
  key: Math.random(), name: `x${index + 1}`, type: "float", low: "0", high: "1", step: "", scale: "linear", labels: "", whenName: "", whenValues: "",
});

export const START: StudyForm = {
  name: "",
  parameters: [blank(0)],
  metrics: [{ key: 0, name: "loss", goal: "minimize", lower: "", upper: "" }],
  budget: "",
  acquisition: "auto",
  seed: "",
};

/** A number where the text is one; else the text itself, which the service then refuses at its place. */
function numeric(text: string): number | string | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return undefined;
  const value = Number(trimmed);
  return Number.isFinite(value) ? value : trimmed;
}

/** Labels between commas: numbers or truth values where all of them are, else strings. */
export function labels(text: string): (string | number | boolean)[] {
  const parts = text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  if (parts.length && parts.every((part) => Number.isFinite(Number(part)))) return parts.map(Number);
  if (parts.length && parts.every((part) => part === "true" || part === "false")) return parts.map((part) => part === "true");
  return parts;
}

/** The request body that a form makes. */
export function drafted(form: StudyForm): Record<string, unknown> {
  const parameters = form.parameters.map((each) => {
    const kinds = form.parameters.find((other) => other.name === each.whenName);
    // Values of a condition are of the same kind as the choices that they are among.
    const among = kinds ? labels(kinds.labels) : [];
    const values = each.whenValues.split(",").map((part) => part.trim()).filter(Boolean);
    const when = each.whenName ? { when: { [each.whenName]: values.map((text) => among.find((label) => String(label) === text) ?? text) } } : {};
    if (each.type === "categorical") return { name: each.name, type: each.type, choices: labels(each.labels), ...when };
    if (each.type === "ordinal") return { name: each.name, type: each.type, values: labels(each.labels), ...when };
    const scale = each.scale === "log" ? { scale: each.scale } : {};
    return { name: each.name, type: each.type, low: numeric(each.low), high: numeric(each.high), ...scale, ...(each.step.trim() ? { step: numeric(each.step) } : {}), ...when };
  });
  const metrics = form.metrics.map(({ name, goal, lower, upper }) => ({ name, goal, ...(goal === "constrain" ? { lower: numeric(lower), upper: numeric(upper) } : {}) }));
  return {
    name: form.name,
    parameters,
    metrics,
    ...(form.acquisition.trim() && form.acquisition !== "auto" ? { algorithm: { acquisition: form.acquisition.trim() } } : {}),
    ...(form.budget.trim() ? { budget: { trials: numeric(form.budget) } } : {}),
    ...(form.seed.trim() ? { seed: numeric(form.seed) } : {}),
  };
}

const INLINE = 90;

/** JSON with short lists and objects on one line. */
export function compact(value: unknown, indent = ""): string {
  const flat = JSON.stringify(value, null, 1)?.replace(/\n\s*/g, " ") ?? "null";
  if (flat.length + indent.length <= INLINE || typeof value !== "object" || value === null) return flat;
  const deeper = `${indent}  `;
  const entries = Array.isArray(value) ? value.map((each) => compact(each, deeper)) : Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${compact(each, deeper)}`);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  return `${open}\n${entries.map((entry) => deeper + entry).join(",\n")}\n${indent}${close}`;
}

/** A JSON text as Python writes it: strings are JSON's, the constants differ. */
const pythonic = (json: string): string =>
  json.replace(/"(?:[^"\\]|\\.)*"|\b(?:true|false|null)\b/g, (word) => ({ true: "True", false: "False", null: "None" })[word] ?? word);

/** Inside single quotes of a shell. */
const quoted = (text: string): string => text.replaceAll("'", `'\\''`);

/** The request that creates a study, and the loop that asks and tells. */
export function samples(body: Record<string, unknown>): [string, string][] {
  const json = compact(body);
  const origin = location.origin;
  return [
    ["curl", `curl -s ${origin}/v1/studies -H 'Content-Type: application/json' -d '${quoted(json)}'`],
    [
      "Python",
      `import requests

api = "${origin}/v1/studies"
study = requests.post(api, json=${pythonic(json)}).json()

while True:
    trial = requests.post(f"{api}/{study['id']}/ask").json()["trials"][0]
    metrics = evaluate(**trial["parameters"])  # yours: a dict of every metric
    requests.post(f"{api}/{study['id']}/trials/{trial['number']}/tell", json={"metrics": metrics})`,
    ],
    [
      "TypeScript",
      `const api = "${origin}/v1/studies";
const post = async (url: string, body: unknown = {}) => {
  const response = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
};
const study = await post(api, ${json});

for (;;) {
  const { trials: [trial] } = await post(\`\${api}/\${study.id}/ask\`);
  const metrics = await evaluate(trial.parameters); // yours: every metric
  await post(\`\${api}/\${study.id}/trials/\${trial.number}/tell\`, { metrics });
}`,
    ],
  ];
}

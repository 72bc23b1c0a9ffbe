// What the tests start from: the real program on a fresh database, a real browser, and short ways to fill a study.
//
// TELLUS_BIN names the program, CHROMIUM the browser; target/debug/tellus and the one in PATH where they are not set.
import { execFileSync, execSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const binary = process.env.TELLUS_BIN ?? join(root, "target/debug/tellus");

/** Starts the program; `listen` keeps a port over a restart, `database` a database; with `auth` it asks for tokens; `also` are further arguments. */
export async function serve({ listen = "127.0.0.1:0", database, auth = false, also = [] } = {}) {
  const folder = database ? null : mkdtempSync(join(tmpdir(), "tellus-dashboard-"));
  const file = database ?? `sqlite:${join(folder, "tellus.sqlite")}`;
  const child = spawn(binary, ["serve", "--listen", listen, "--database", file, ...(auth ? ["--auth"] : []), ...also], { env: { ...process.env, RUST_LOG: "error" }, stdio: ["ignore", "pipe", "inherit"] });
  const url = await new Promise((resolve, reject) => {
    let text = "";
    child.on("exit", (code) => reject(new Error(`the server ended with ${code}`)));
    child.stdout.on("data", (data) => {
      text += data;
      const found = /API\s+(http:\/\/[^\s/]+)/.exec(text);
      if (found) resolve(found[1]);
    });
  });
  const stop = () =>
    new Promise((resolve) => {
      child.removeAllListeners("exit");
      if (child.exitCode !== null) return resolve();
      child.on("exit", resolve);
      child.kill("SIGKILL");
    });
  return { url, database: file, stop, remove: () => folder && rmSync(folder, { recursive: true, force: true }), api: client(url) };
}

/** A port that nothing listens at. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** An issuer that people sign in at, as tests/issuer starts it, which sends them back to `redirect`. */
export async function issue(redirect, accounts) {
  const script = fileURLToPath(new URL("../../tests/issuer/issuer.mjs", import.meta.url));
  const child = spawn("node", [script, redirect], { stdio: ["pipe", "pipe", "ignore"] });
  const [said] = await once(child.stdout, "data");
  const url = said.toString().trim();
  child.stdout.resume();
  await fetch(`${url}/control`, { method: "POST", body: JSON.stringify({ accounts }) });
  return { url, stop: () => child.kill() };
}

/** A token that the program makes in a database. */
export function token(database, name, ...roles) {
  const given = roles.flatMap((role) => ["--role", role]);
  return execFileSync(binary, ["token", "create", name, "--database", database, ...given], { encoding: "utf8" }).match(/tellus_[0-9a-f]+/)[0];
}

/** The API as another program calls it. */
export function client(url, secret) {
  const call = async (method, path, body) => {
    const response = await fetch(url + path, { method, headers: { ...(body ? { "content-type": "application/json" } : {}), ...(secret ? { authorization: `Bearer ${secret}` } : {}) }, body: body ? JSON.stringify(body) : undefined });
    const answer = response.status === 204 ? null : await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };
  return { get: (path) => call("GET", path), post: (path, body = {}) => call("POST", path, body), patch: (path, body) => call("PATCH", path, body) };
}

function browserPath() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  return execSync("command -v chromium || command -v chromium-browser || command -v google-chrome", { encoding: "utf8" }).trim();
}

export function browse() {
  return chromium.launch({
    executablePath: browserPath(),
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/** A page that gathers what went wrong in it: errors, and what the security policy refused. */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 900 }, permissions: ["clipboard-read", "clipboard-write"], ...options });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // A refusal of the service is shown on the page; the browser's own line about it is no fault of the page.
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) wrong.push(`console: ${message.text()}`);
  });
  page.on("dialog", (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`policy refused ${event.violatedDirective} ${event.blockedURI}`));
  });
  page.setDefaultTimeout(15_000);
  return Object.assign(page, { wrong });
}

export const WIDE = {
  parameters: [
    { name: "learning_rate", type: "float", low: 1e-5, high: 1, scale: "log" },
    { name: "depth", type: "int", low: 2, high: 12 },
    { name: "dropout", type: "float", low: 0, high: 0.6 },
    { name: "optimizer", type: "categorical", choices: ["adam", "sgd", "rmsprop"] },
    { name: "momentum", type: "float", low: 0, high: 0.99, when: { optimizer: ["sgd", "rmsprop"] } },
    { name: "batch", type: "ordinal", values: [16, 32, 64, 128, 256] },
  ],
  metrics: [{ name: "loss", goal: "minimize" }, { name: "latency_ms", goal: "constrain", upper: 18 }, { name: "seconds", goal: "record" }],
};

/** Uploads one of the networks that the service is tested with. */
export async function uploaded(url, name) {
  const body = readFileSync(join(root, "tests/fixtures/networks", `${name}.onnx`));
  const response = await fetch(`${url}/v1/networks?name=${name}`, { method: "POST", headers: { "content-type": "application/octet-stream" }, body });
  if (!response.ok) throw new Error(`${name}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** A study of two numbers through a network, or two, which the service evaluates. */
export const throughNetwork = (name, phi, goal) => ({
  name, seed: 4,
  parameters: [{ name: "time", type: "float", low: 0, high: 1 }, { name: "heat", type: "float", low: 0, high: 1 }],
  metrics: [{ name: "yield", goal: "maximize" }],
  network: { phi: phi.id, goal: goal ? { network: goal.id } : { linear: Array(phi.outputs[0].shape.reduce((product, n) => product * n, 1)).fill(1) }, evaluate: "server" },
});

/** A generator of numbers in [0, 1), the same each time. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A point of `WIDE` that comes nearer to a good one as `t` goes from 0 to 1, with what it would give. */
export function evaluated(next, t) {
  const towards = (good, spread) => good + (next() - 0.5) * 2 * spread * (1 - 0.8 * t);
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const rate = clamp(towards(-2.4, 2.4), -4.999, 0);
  const depth = Math.round(clamp(towards(7, 5), 2, 12));
  const dropout = clamp(towards(0.2, 0.35), 0, 0.6);
  const optimizer = next() < 0.5 + 0.4 * t ? "adam" : next() < 0.5 ? "sgd" : "rmsprop";
  const batch = [16, 32, 64, 128, 256][Math.floor(next() * 5)];
  const parameters = { learning_rate: 10 ** rate, depth, dropout, optimizer, batch };
  if (optimizer !== "adam") parameters.momentum = next() * 0.99;
  const loss = 0.08 + 0.05 * (rate + 2.4) ** 2 + 0.012 * (depth - 7) ** 2 + 0.9 * (dropout - 0.2) ** 2 + (optimizer === "adam" ? 0 : 0.06) + 0.03 * next();
  return { parameters, metrics: { loss, latency_ms: 4 + depth * 1.1 + 6 * next(), seconds: 20 + 400 / batch + 30 * next() } };
}

/** Attaches `count` evaluated trials to a study of `WIDE`. */
export async function fill(api, study, count, seed = 7) {
  const next = random(seed);
  for (let begin = 0; begin < count; begin += 5000) {
    const trials = [];
    for (let i = begin; i < Math.min(begin + 5000, count); i++) {
      const { parameters, metrics } = evaluated(next, i / count);
      trials.push(next() < 0.03 ? { parameters, failed: "diverged" } : { parameters, metrics });
    }
    await api.post(`/v1/studies/${study}/trials`, { trials });
  }
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds. It is run by the debugger, past the policy of the page, which allows no script from elsewhere. */
export async function violations(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any.map((each) => each.message).join("; ").slice(0, 200)}`).join(" | ")}`);
}

// Pictures of every page in both themes, and at a phone's width, into docs/dashboard/. Not a test: look at them.
//
//   npm --prefix dashboard run screenshots [folder]
//
// Where pngquant is installed (Debian's package), the pictures are made small by it.
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { browse, client, evaluated, fill, open, random, serve, throughNetwork, token, uploaded, WIDE } from "./given.mjs";

const folder = process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), "../../docs/dashboard");
mkdirSync(folder, { recursive: true });
const [server, browser] = await Promise.all([serve(), browse()]);
const { api } = server;

/** A study with trials of all kinds, some of them asked for and told by workers. */
async function lively(name, definition, attached, asked) {
  const study = await api.post("/v1/studies", { name, ...definition });
  await fill(api, study.id, attached, name.length);
  const next = random(99);
  for (let i = 0; i < asked; i++) {
    const { trials } = await api.post(`/v1/studies/${study.id}/ask`, { worker: `gpu-${1 + (i % 4)}` });
    await new Promise((resolve) => setTimeout(resolve, 40 + 200 * next()));
    const { metrics } = evaluated(next, 1);
    await api.post(`/v1/studies/${study.id}/trials/${trials[0].number}/tell`, { metrics });
  }
  return study;
}

const quick = { algorithm: { acquisition: "space_filling" } };
const main = await lively("resnet on flowers", { ...WIDE, ...quick, cost_metric: "seconds", budget: { trials: 400 } }, 260, 24);
for (const worker of ["gpu-1", "gpu-2", "gpu-3"]) await api.post(`/v1/studies/${main.id}/ask`, { worker, lease_seconds: 5400 });
await api.patch(`/v1/studies/${main.id}/trials/12`, { note: "checked with another seed", tags: ["checked", "seed 3"] });
const two = { ...WIDE, ...quick, metrics: [{ name: "loss", goal: "minimize" }, { name: "latency_ms", goal: "minimize", reference: 30 }, { name: "seconds", goal: "record" }] };
const front = await lively("accuracy against latency", two, 320, 0);
const other = await lively("resnet, wider space", { ...WIDE, ...quick }, 150, 0);
await api.patch(`/v1/studies/${other.id}`, { state: "paused" });
const bench = await api.post("/v1/studies", {
  name: "coating, line 3", ...quick,
  parameters: [{ name: "temperature_c", type: "float", low: 20, high: 95, step: 0.5 }, { name: "ph", type: "float", low: 4, high: 9, step: 0.1 }, { name: "catalyst", type: "categorical", choices: ["Pd", "Ni", "none"] }],
  metrics: [{ name: "yield_percent", goal: "maximize" }], budget: { trials: 30 },
});
await api.post(`/v1/studies/${bench.id}/ask`, { count: 3, worker: "ada", lease_seconds: 172_800 });
await api.post(`/v1/studies/${bench.id}/trials`, { trials: [{ parameters: { temperature_c: 60, ph: 7, catalyst: "Pd" } }] });
const [phi, goal] = [await uploaded(server.url, "bio_phi"), await uploaded(server.url, "bio_goal")];
for (const name of ["lenet", "sk_forest"]) await uploaded(server.url, name);
const solved = await api.post("/v1/studies", throughNetwork("biodiesel yield", phi, goal));
await api.post(`/v1/studies/${solved.id}/solve`, { evaluations: 160 });
while ((await api.get(`/v1/studies/${solved.id}/solve`)).state === "running") await new Promise((resolve) => setTimeout(resolve, 200));

// A lab's server: projects with quotas, people and machines with tokens, and what they did.
const lab = await serve({ auth: true });
const admin = token(lab.database, "Grace (host)");
const host = client(lab.url, admin);
for (const [project, quotas] of [["optics", { studies: 40, trials: 20_000, asks_a_minute: 600 }], ["coatings", { studies: 10, trials: 2_000 }]]) {
  await host.post("/v1/projects", { name: project, quotas });
  const study = await host.post("/v1/studies", { name: `${project}, first runs`, project, ...WIDE, ...quick });
  await fill(host, study.id, 30, project.length);
}
for (const [name, roles, expires] of [
  ["Ada", { optics: "owner" }, null],
  ["spectrometer 2", { optics: "experimenter" }, "2099-06-30T00:00:00Z"],
  ["wall screen", { coatings: "viewer" }, null],
]) await host.post("/v1/tokens", { name, roles, ...(expires ? { expires_at: expires } : {}) });

const pages = [
  ["studies", "/", ".study-row"],
  ["new", "/new", "text=to be settled"],
  ["overview", `/studies/${main.id}`, "text=Recommended is"],
  ["trials", `/studies/${main.id}/trials?sort=metric%3Aloss&order=asc`, ".table-row .state"],
  ["trial", `/studies/${main.id}/trials?trial=12`, "dialog .pairs"],
  ["plots", `/studies/${main.id}/plots`, "#plot-durations canvas"],
  ["front", `/studies/${front.id}/plots`, "#plot-hypervolume canvas"],
  ["model", `/studies/${main.id}/model`, "#plot-over canvas"],
  ["networks", "/networks", ".pairs a"],
  ["network", `/networks/${phi.id}`, "text=Coefficients"],
  ["solve", `/studies/${solved.id}`, ".solve"],
  ["attacks", `/studies/${solved.id}/plots`, "#plot-origins canvas"],
  ["bench", `/studies/${bench.id}/bench`, ".open-trial"],
  ["setup", `/studies/${main.id}/setup`, ".code pre"],
  ["compare", `/compare?studies=${main.id},${other.id}`, "#plot-compare canvas"],
];
const signedIn = [
  ["studies-of-two-projects", "/", ".study-row"],
  ["tokens", "/access", ".pairs code"],
  ["projects", "/access/projects", ".pairs td"],
  ["audit", "/access/audit", ".pairs code"],
];
const taken = [];
for (const [suffix, options, full] of [["light", { colorScheme: "light" }, true], ["dark", { colorScheme: "dark" }, true], ["phone", { colorScheme: "light", viewport: { width: 390, height: 844 } }, false]]) {
  const page = await open(browser, { reducedMotion: "reduce", ...options });
  const take = async (name) => {
    await page.waitForTimeout(900);
    const file = join(folder, `${name}-${suffix}.png`);
    await page.screenshot({ path: file, fullPage: full && name !== "trial" });
    taken.push(file);
  };
  const takeAll = async (url, list) => {
    for (const [name, path, sign] of list) {
      await page.goto(url + path);
      await page.locator(sign).first().waitFor();
      await take(name);
    }
  };
  await takeAll(server.url, pages);
  await page.goto(lab.url);
  await page.getByLabel("Token").waitFor();
  await take("sign-in");
  await page.getByLabel("Token").fill(admin);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Studies" }).waitFor();
  await takeAll(lab.url, signedIn);
  if (page.wrong.length) console.error(page.wrong);
  await page.context().close();
}
spawnSync("pngquant", ["--force", "--ext", ".png", "--skip-if-larger", "128", ...taken], { stdio: "inherit" });
await browser.close();
for (const each of [server, lab]) {
  await each.stop();
  each.remove();
}

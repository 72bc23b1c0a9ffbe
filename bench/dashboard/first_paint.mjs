// How soon a study is seen, here and in optuna-dashboard, on the same trials: by the browser's own timing.
//
//   TELLUS_BIN=target/release/tellus OPTUNA=<a venv with optuna and optuna-dashboard> node bench/dashboard/first_paint.mjs 1000 100000
//
// Per size: both servers are filled with the same trials, started anew (nothing is warm), and each page is opened five
// times in a browser with an empty cache. Printed are medians in milliseconds after navigation: the first contentful paint,
// and when the history's curve is on the screen; and the bytes that were transferred for it.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { browse, evaluated, random, serve, WIDE } from "../../dashboard/test/given.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const venv = process.env.OPTUNA;
const sizes = process.argv.slice(2).map(Number);
const REPEATS = 5;
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Opens a page in a fresh context; `seen` runs in it and says whether the curve is there. */
async function visit(browser, url, seen) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 900 } });
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  await page.goto(url, { waitUntil: "commit" });
  const curve = await page.waitForFunction(seen, null, { timeout: 180_000, polling: "raf" }).then((handle) => handle.jsonValue());
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN);
  await pause(300);
  await context.close();
  return { paint, curve, bytes };
}

async function measure(name, browser, url, seen) {
  const visits = [];
  for (let i = 0; i < REPEATS; i++) visits.push(await visit(browser, url, seen));
  const of = (field) => Math.round(median(visits.slice().map((each) => each[field])));
  const first = Math.round(visits[0].curve);
  console.log(`${name.padEnd(18)} first paint ${of("paint")} ms, curve ${of("curve")} ms (the first visit after the start: ${first} ms), ${Math.round(of("bytes") / 1000)} kB`);
}

// The curve is there once its canvas has marks that are not of its axes: the legend and the figures come with them.
const ours = () => document.querySelector("#plot-history canvas") && document.querySelector(".figures dd")?.textContent.match(/\d/) && performance.now();
// Plotly draws its traces into a group of this class.
const theirs = () => document.querySelector(".scatterlayer .trace, .gl-canvas") && performance.now();

const browser = await browse();
for (const size of sizes) {
  console.log(`${size} trials`);
  const next = random(7);
  const trials = Array.from({ length: size }, (_, i) => evaluated(next, i / size));
  let server = await serve();
  const study = await server.api.post("/v1/studies", { name: "bench", ...WIDE });
  for (let i = 0; i < size; i += 5000) await server.api.post(`/v1/studies/${study.id}/trials`, { trials: trials.slice(i, i + 5000) });
  await server.stop();
  const again = await serve({ database: server.database });
  await measure("tellus", browser, `${again.url}/studies/${study.id}`, ours);
  await again.stop();
  server.remove();
  if (!venv) continue;
  const folder = mkdtempSync(join(tmpdir(), "optuna-"));
  writeFileSync(join(folder, "trials.json"), JSON.stringify(trials));
  const filled = spawnSync(join(venv, "bin/python"), [join(here, "fill_optuna.py"), join(folder, "trials.json"), join(folder, "optuna.sqlite")], { stdio: ["ignore", "inherit", "inherit"] });
  if (filled.status !== 0) throw new Error("optuna was not filled");
  const child = spawn(join(venv, "bin/optuna-dashboard"), [`sqlite:///${join(folder, "optuna.sqlite")}`, "--port", "8181", "--host", "127.0.0.1"], { stdio: "ignore" });
  for (let i = 0; i < 200; i++) {
    if (await fetch("http://127.0.0.1:8181/api/studies").then((answer) => answer.ok, () => false)) break;
    await pause(100);
  }
  await measure("optuna-dashboard", browser, "http://127.0.0.1:8181/dashboard/studies/1", theirs);
  child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}
await browser.close();

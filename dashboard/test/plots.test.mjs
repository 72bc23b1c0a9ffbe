// Plots and tables of many trials: read, zoomed, exported, reproduced by their address.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { browse, fill, open, serve, WIDE } from "./given.mjs";

const TRIALS = 3000;
let server, browser, study, page;
before(async () => {
  [server, browser] = await Promise.all([serve(), browse()]);
  study = await server.api.post("/v1/studies", { name: "many", ...WIDE });
  await fill(server.api, study.id, TRIALS);
  page = await open(browser, { acceptDownloads: true });
});
after(async () => {
  await browser?.close();
  await server?.stop();
  server?.remove();
});

const view = (name, query = "") => `${server.url}/studies/${study.id}/${name}${query}`;
const saved = async (card, kind) => {
  await card.getByLabel(/^Export/).click();
  const [download] = await Promise.all([page.waitForEvent("download"), card.getByRole("button", { name: kind }).click()]);
  return [download.suggestedFilename(), readFileSync(await download.path())];
};

test("a plot is read by the keyboard, zoomed, and its address reproduces the view", async () => {
  await page.goto(view("plots"));
  const card = page.locator("#plot-history");
  const canvas = card.locator("canvas");
  await canvas.focus();
  await page.keyboard.press("ArrowRight");
  const said = await card.locator("[aria-live]").textContent();
  const [, number] = /trial (\d+)/.exec(said);
  const trial = await server.api.get(`/v1/studies/${study.id}/trials/${number}`);
  if (trial.metrics) assert.ok(said.includes(String(Number(trial.metrics.loss.value.toPrecision(5)))), said);
  else assert.match(said, /failed/);
  // Enter opens the trial that was read.
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByRole("heading", { name: `Trial ${number}` }).waitFor();
  await page.keyboard.press("Escape");
  await canvas.scrollIntoViewIfNeeded();
  const box = await canvas.boundingBox();
  await page.mouse.move(box.x + 200, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + 420, box.y + 200, { steps: 4 });
  await page.mouse.up();
  await card.getByRole("button", { name: "Whole range" }).waitFor();
  const address = page.url();
  assert.match(decodeURIComponent(address), /zoom\.history=[\d.e-]+,[\d.]+,[\d.e-]+,[\d.]+/);
  const drawn = () => canvas.evaluate((element) => element.toDataURL());
  const image = await drawn();
  await page.goto(`${server.url}/`);
  await page.goto(address);
  await card.getByRole("button", { name: "Whole range" }).waitFor();
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(300);
  assert.ok(image === (await drawn()), "the same view is drawn");
  await canvas.focus();
  await page.keyboard.press("Escape");
  await card.getByRole("button", { name: "Whole range" }).waitFor({ state: "detached" });
});

test("plots are exported as image, drawing and numbers", async () => {
  await page.goto(view("plots"));
  const card = page.locator("#plot-history");
  await card.locator("canvas").waitFor();
  const [pngName, png] = await saved(card, "PNG");
  assert.equal(pngName, "many-history.png");
  assert.equal(png.subarray(1, 4).toString(), "PNG");
  const [, svg] = await saved(card, "SVG");
  const dots = await page.evaluate((text) => {
    const document = new DOMParser().parseFromString(text, "image/svg+xml");
    return document.querySelector("parsererror") ? -1 : document.querySelectorAll("circle").length;
  }, svg.toString());
  const [, csv] = await saved(card, "CSV");
  const rows = csv.toString().trim().split("\r\n");
  assert.equal(rows[0], "trial,loss,feasible");
  const history = await server.api.get(`/v1/studies/${study.id}/history`);
  assert.equal(rows.length - 1, history.results.numbers.length);
  assert.equal(dots, history.results.numbers.length + history.failed.length);
  const best = Math.min(...rows.slice(1).map((row) => row.split(",")).filter((row) => row[2] === "true").map((row) => Number(row[1])));
  assert.equal(best, history.best.values.at(-1));
  for (const id of ["parallel", "slice", "plane"]) {
    const [, text] = await saved(page.locator(`#plot-${id}`), "CSV");
    assert.ok(text.toString().split("\r\n").length > 500, id);
  }
});

test("parallel coordinates keep what passes, and the address says so", async () => {
  await page.goto(view("plots"));
  const card = page.locator("#plot-parallel");
  const canvas = card.locator("canvas");
  await canvas.scrollIntoViewIfNeeded();
  const box = await canvas.boundingBox();
  // The last axis is the loss: its lower half.
  await page.mouse.move(box.x + box.width - 56, box.y + box.height - 22);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 56, box.y + box.height - 80, { steps: 4 });
  await page.mouse.up();
  const words = await card.getByText(/ pass\./).textContent();
  const kept = Number(/^([\d,]+) of/.exec(words)[1].replace(",", ""));
  const [, csv] = await saved(card, "CSV");
  const losses = csv.toString().trim().split("\r\n").slice(1).map((row) => Number(row.split(",").at(-1)));
  assert.equal(losses.length, kept);
  const columns = await server.api.get(`/v1/studies/${study.id}/columns`);
  const all = columns.metrics.loss.filter((value) => value !== null);
  const limit = Math.max(...losses);
  assert.ok(limit < Math.max(...all) && all.filter((value) => value <= limit).length === kept);
  await page.reload();
  await card.getByText(words).waitFor();
});

test("the table of many trials is short, ordered by the service, and read from any place", async () => {
  await page.goto(view("trials"));
  const table = page.getByRole("table", { name: "Trials" });
  await table.getByRole("button", { name: String(TRIALS - 1), exact: true }).waitFor();
  assert.ok((await page.locator(".table-row").count()) < 60);
  await table.evaluate((element) => element.scrollTo(0, element.scrollHeight));
  await table.getByRole("button", { name: "0", exact: true }).waitFor();
  assert.ok((await page.locator(".table-row").count()) < 60);
  await table.evaluate((element) => element.scrollTo(0, 0));
  await page.getByLabel("Show").selectOption("feasible");
  await page.getByRole("columnheader", { name: "loss" }).getByRole("button").click();
  const { front } = await server.api.get(`/v1/studies/${study.id}/history`);
  const first = page.locator(".table-row").first();
  await first.getByRole("button", { name: String(front[0]), exact: true }).waitFor();
  await page.getByLabel("Show").selectOption("failed");
  await page.getByText(`${study_failed(await server.api.get(`/v1/studies/${study.id}`))} trials`).first().waitFor();
  assert.deepEqual(page.wrong, []);
});
const study_failed = (answer) => answer.trial_counts.failed;

test("no answer of a study with many trials is large", async () => {
  for (const path of ["history", "columns", "table", "history?limit=5000", "columns?limit=5000", "table?limit=200"]) {
    const response = await fetch(`${server.url}/v1/studies/${study.id}/${path}`);
    assert.ok((await response.arrayBuffer()).byteLength < 1_000_000, path);
  }
});

test("two objectives have a front and a hypervolume", async () => {
  const two = await server.api.post("/v1/studies", { name: "two", ...WIDE, metrics: [{ name: "loss", goal: "minimize" }, { name: "latency_ms", goal: "minimize", reference: 30 }, { name: "seconds", goal: "record" }] });
  await fill(server.api, two.id, 200);
  await page.goto(`${server.url}/studies/${two.id}/plots`);
  const [, csv] = await saved(page.locator("#plot-front"), "CSV");
  const front = csv.toString().trim().split("\r\n").slice(1).filter((row) => row.endsWith(",true")).map((row) => Number(row.split(",")[0]));
  const best = await server.api.get(`/v1/studies/${two.id}/best`);
  assert.deepEqual(front.sort((a, b) => a - b), best.trials.map((trial) => trial.number).sort((a, b) => a - b));
  await page.locator("#plot-hypervolume canvas").waitFor();
  assert.deepEqual(page.wrong, []);
});

// What the model believes, as a person reads it: along a parameter, over two, through any trial, and how far it is right.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { browse, fill, open, serve, WIDE } from "./given.mjs";

let server, browser, study, page;
before(async () => {
  [server, browser] = await Promise.all([serve(), browse()]);
  study = await server.api.post("/v1/studies", { name: "believed", ...WIDE });
  await fill(server.api, study.id, 60);
  page = await open(browser, { acceptDownloads: true });
});
after(async () => {
  await browser?.close();
  await server?.stop();
  server?.remove();
});

const numbers = async (id) => {
  const card = page.locator(`#plot-${id}`);
  await card.locator("canvas").waitFor();
  await card.getByLabel(/^Export/).click();
  const [download] = await Promise.all([page.waitForEvent("download"), card.getByRole("button", { name: "CSV" }).click()]);
  const [head, ...rows] = readFileSync(await download.path(), "utf8").trim().split("\r\n").map((row) => row.split(","));
  return rows.map((row) => Object.fromEntries(row.map((cell, i) => [head[i], Number.isFinite(Number(cell)) && cell !== "" ? Number(cell) : cell])));
};

test("a slice through the best trial is what the service predicts", async () => {
  await page.goto(`${server.url}/studies/${study.id}/model?along=dropout`);
  const slice = await numbers("believed");
  assert.equal(slice.length, 61);
  const best = (await server.api.get(`/v1/studies/${study.id}/best`)).trials[0].parameters;
  const answer = await server.api.post(`/v1/studies/${study.id}/predict`, { points: slice.map((row) => ({ ...best, dropout: row.dropout })) });
  answer.predictions.forEach(({ loss }, i) => {
    assert.ok(Math.abs(loss.mean - slice[i].mean) < 1e-9, `${loss.mean} and ${slice[i].mean}`);
    assert.ok(slice[i].q05 < slice[i].mean && slice[i].mean < slice[i].q95);
  });
  const worth = await numbers("worth");
  assert.equal(Math.max(...worth.map((row) => row.relative)), 1);
  // The arrows read the curve.
  const canvas = page.locator("#plot-believed canvas");
  await canvas.focus();
  await page.keyboard.press("ArrowRight");
  assert.match(await page.locator("#plot-believed [aria-live]").textContent(), /trial \d+|90 % within/);
});

test("two parameters are seen with mean, uncertainty and worth, and choices beside numbers", async () => {
  await page.goto(`${server.url}/studies/${study.id}/model?over.x=learning_rate&over.y=dropout`);
  const plane = await numbers("over");
  assert.equal(plane.length, 27 * 27);
  assert.ok(plane.every((row) => row.sd > 0 && Number.isFinite(row.log_expected_improvement)));
  const canvas = page.locator("#plot-over canvas");
  const drawn = () => canvas.evaluate((element) => element.toDataURL());
  const images = [await drawn()];
  for (const layer of ["Uncertainty", "Worth trying"]) {
    await page.locator("#plot-over").getByRole("button", { name: layer }).click();
    await page.waitForTimeout(200);
    images.push(await drawn());
  }
  assert.equal(new Set(images).size, 3, "three layers are three pictures");
  assert.match(page.url(), /layer=worth/);
  await page.goto(`${server.url}/studies/${study.id}/model?over.x=optimizer&over.y=batch`);
  assert.equal((await numbers("over")).length, 15);
  // momentum does not exist under every optimizer: it is not offered where the point has none.
  const best = (await server.api.get(`/v1/studies/${study.id}/best`)).trials[0].parameters;
  const offered = await page.locator("#plot-believed select option").allTextContents();
  assert.deepEqual(offered.sort(), Object.keys(best).sort());
});

test("importances and calibration are the service's", async () => {
  await page.goto(`${server.url}/studies/${study.id}/model`);
  const model = (await server.api.get(`/v1/studies/${study.id}/insights`)).models.find((each) => each.metric === "loss");
  const shares = await numbers("importance");
  assert.deepEqual(shares.map((row) => row.parameter), Object.entries(model.importances).sort((a, b) => b[1] - a[1]).map(([name]) => name));
  const left = await numbers("calibration");
  assert.equal(left.length, model.leave_one_out.length);
  const within = left.filter((row) => row.low <= row.observed && row.observed <= row.high).length;
  await page.getByText(`${within} of ${left.length} results lie within`, { exact: false }).waitFor();
  await page.getByText("output transform:", { exact: false }).waitFor();
  // Another metric has its own model.
  await page.getByLabel("Metric").selectOption("latency_ms");
  await page.locator("#plot-importance canvas[aria-label*='latency_ms']").waitFor();
});

test("any trial is asked why it was chosen", async () => {
  const { trials } = await server.api.post(`/v1/studies/${study.id}/ask`, { worker: "ada" });
  await page.goto(`${server.url}/studies/${study.id}?trial=${trials[0].number}`);
  await page.getByRole("dialog").getByRole("button", { name: "Why this point?" }).click();
  await page.locator(`#plot-believed canvas[aria-label*="trial ${trials[0].number}"]`).waitFor();
  assert.match(page.url(), new RegExp(`/model\\?through=${trials[0].number}$`));
  assert.deepEqual(page.wrong, []);
});

test("a model of many results waits to be asked, one of none says what to do", async () => {
  const none = await server.api.post("/v1/studies", { name: "none", ...WIDE });
  await page.goto(`${server.url}/studies/${none.id}/model`);
  await page.getByRole("heading", { name: "There is no model yet" }).waitFor();
  const many = await server.api.post("/v1/studies", { name: "many", ...WIDE });
  await fill(server.api, many.id, 320);
  await page.goto(`${server.url}/studies/${many.id}/model`);
  await page.getByRole("button", { name: "Ask the model" }).waitFor();
  assert.equal(await page.locator("canvas").count(), 0);
});

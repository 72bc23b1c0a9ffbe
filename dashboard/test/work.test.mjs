// What people do: create a study, ask and tell by hand, watch others work, queue, amend, pause, be refused.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, fill, open, serve, WIDE } from "./given.mjs";

let server, browser;
before(async () => {
  [server, browser] = await Promise.all([serve(), browse()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
  server?.remove();
});

const at = (path) => server.url + path;
const plane = (name) => ({
  name, parameters: [{ name: "x", type: "float", low: 0, high: 1 }, { name: "y", type: "float", low: 0, high: 1 }],
  metrics: [{ name: "yield", goal: "maximize" }], algorithm: { acquisition: "space_filling" },
});

test("a study is created by a form that the service checks as one types", async () => {
  const page = await open(browser);
  await page.goto(at("/"));
  await page.getByRole("link", { name: "Create the first study" }).click();
  await page.getByLabel("Name").first().fill("coffee");
  await page.getByLabel("Name").nth(1).fill("grind");
  await page.getByLabel("From").fill("5");
  await page.getByLabel("To", { exact: true }).fill("2");
  await page.getByLabel("Step").focus();
  // The sentence is the service's own, at the field it is about.
  await page.locator("fieldset .fault-text").first().waitFor();
  assert.match(await page.locator("fieldset .fault-text").first().textContent(), /low|high/);
  await page.getByLabel("To", { exact: true }).fill("20");
  await page.getByText("It can be created").waitFor();
  await page.getByRole("button", { name: "Add parameter" }).click();
  const second = page.locator("fieldset").nth(1);
  await second.getByLabel("Name").fill("filter");
  await second.getByLabel("Kind").selectOption("categorical");
  await second.getByLabel("Choices").fill("paper, metal");
  await page.getByText("It can be created").waitFor();
  for (const [language, words] of [["curl", "curl -s"], ["Python", "import requests"], ["TypeScript", "await fetch"]]) {
    await page.getByRole("button", { name: language }).click();
    const code = await page.locator(".code pre").textContent();
    assert.ok(code.includes(words) && code.includes('"grind"') && code.includes('"metal"'), code);
  }
  await page.getByRole("button", { name: "Create study" }).click();
  await page.getByRole("heading", { name: "coffee" }).waitFor();
  const { studies } = await server.api.get("/v1/studies?name=coffee");
  assert.deepEqual(studies[0].parameters.map((each) => [each.name, each.type]), [["grind", "float"], ["filter", "categorical"]]);
  assert.equal(studies[0].parameters[0].high, 20);
  // A name that is taken is refused before anything is sent.
  await page.goto(at("/new"));
  await page.getByLabel("Name").first().fill("coffee");
  await page.getByText(/choose another name/).waitFor();
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});

test("trials are asked for and told by hand, and a refusal says what to change", async () => {
  const study = await server.api.post("/v1/studies", plane("by hand"));
  const page = await open(browser);
  await page.goto(at(`/studies/${study.id}/bench`));
  await page.getByLabel("How many").fill("2");
  await page.getByLabel("Who does them").fill("ada");
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await page.getByText("Trials 0 to 1 are yours.").waitFor();
  await page.getByRole("button", { name: "Tell trial 0" }).click();
  const form = page.getByRole("form", { name: "Tell trial 0" });
  await form.getByRole("button", { name: "Tell", exact: true }).click();
  await form.getByText(/every objective must be told/).first().waitFor();
  await form.getByLabel("yield").fill("0,75");
  await form.getByRole("button", { name: "Tell", exact: true }).click();
  await form.waitFor({ state: "detached" });
  const trial = await server.api.get(`/v1/studies/${study.id}/trials/0`);
  assert.deepEqual([trial.state, trial.worker, trial.metrics.yield.value], ["completed", "ada", 0.75]);
  // The sheet has the trial that is still open, and not the one that was told.
  await page.emulateMedia({ media: "print" });
  assert.ok(await page.locator(".sheet").isVisible());
  assert.deepEqual(await page.locator(".sheet tbody th").allTextContents(), ["1"]);
  await page.emulateMedia({ media: "screen" });
  // Failure is told as such.
  await page.getByRole("button", { name: "Tell trial 1" }).click();
  await page.getByRole("button", { name: "Failed" }).click();
  await page.getByLabel("Why").fill("the vessel burst");
  await page.getByRole("button", { name: "Tell", exact: true }).click();
  await page.getByText("Nothing is open").waitFor();
  assert.equal((await server.api.get(`/v1/studies/${study.id}/trials/1`)).reason, "the vessel burst");
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});

test("what other clients do arrives by itself", async () => {
  const study = await server.api.post("/v1/studies", plane("watched"));
  const page = await open(browser);
  await page.goto(at(`/studies/${study.id}`));
  await page.getByText("live", { exact: true }).waitFor();
  await page.getByText("No trial yet.", { exact: false }).waitFor();
  const { trials } = await server.api.post(`/v1/studies/${study.id}/ask`, { count: 2, worker: "robot-7" });
  await page.getByRole("cell", { name: "robot-7" }).first().waitFor();
  await server.api.post(`/v1/studies/${study.id}/trials/0/tell`, { metrics: { yield: 12.5 } });
  await page.locator(".figures dd", { hasText: "12.5" }).waitFor();
  await server.api.post(`/v1/studies/${study.id}/trials/1/tell`, { metrics: { yield: 13.25 } });
  await page.locator(".figures dd", { hasText: "13.25" }).waitFor();
  assert.equal(trials.length, 2);
  assert.match(await page.locator(".events").textContent(), /told/);
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});

test("a point of one's own is queued, and handed out next", async () => {
  const study = await server.api.post("/v1/studies", { name: "queued", ...WIDE });
  const page = await open(browser);
  await page.goto(at(`/studies/${study.id}/bench`));
  await page.getByLabel("depth").fill("40");
  await page.getByRole("button", { name: "Queue it" }).click();
  await page.locator(".point-fields .fault-text").waitFor();
  await page.getByLabel("depth").fill("9");
  // What does not exist under this choice is not asked for.
  assert.equal(await page.getByLabel("momentum").count(), 0);
  await page.getByLabel("optimizer").selectOption({ label: "sgd" });
  await page.getByLabel("momentum").fill("0.5");
  await page.getByRole("button", { name: "Queue it" }).click();
  await page.getByText("It is trial 0, and is handed out next.").waitFor();
  const { trials } = await server.api.post(`/v1/studies/${study.id}/ask`);
  assert.deepEqual([trials[0].number, trials[0].parameters.depth, trials[0].parameters.momentum], [0, 9, 0.5]);
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});

test("an outcome is amended with a note, tagged, and what was told before is kept", async () => {
  const study = await server.api.post("/v1/studies", plane("amended"));
  await server.api.post(`/v1/studies/${study.id}/ask`);
  await server.api.post(`/v1/studies/${study.id}/trials/0/tell`, { metrics: { yield: 1 } });
  const page = await open(browser);
  await page.goto(at(`/studies/${study.id}/trials`));
  await page.getByRole("row").nth(1).getByRole("button", { name: "0" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Amend…" }).click();
  await dialog.getByLabel("yield").fill("2");
  await dialog.getByLabel("Note").first().fill("scale was off");
  await dialog.getByRole("button", { name: "Amend", exact: true }).click();
  await dialog.getByRole("heading", { name: "Told before" }).waitFor();
  await dialog.getByRole("textbox", { name: "Tags" }).fill("checked, by ada");
  await dialog.getByRole("button", { name: "Save note and tags" }).click();
  await page.locator(".table .tag", { hasText: "checked" }).waitFor();
  const trial = await server.api.get(`/v1/studies/${study.id}/trials/0`);
  assert.deepEqual([trial.metrics.yield.value, trial.note, trial.tags, trial.revisions.length], [2, "scale was off", ["checked", "by ada"], 1]);
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});

test("a study is paused, goes on, gets another budget, and is deleted", async () => {
  const study = await server.api.post("/v1/studies", plane("to be paused"));
  const page = await open(browser);
  await page.goto(at(`/studies/${study.id}/bench`));
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText("it hands out no trials", { exact: false }).waitFor();
  assert.ok(await page.getByRole("button", { name: "Ask", exact: true }).isDisabled());
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("button", { name: "Pause" }).waitFor();
  await page.getByLabel("More actions").click();
  await page.getByRole("button", { name: "Change the budget…" }).click();
  await page.getByLabel("Trials", { exact: true }).fill("0");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").getByText("at least 1", { exact: false }).first().waitFor();
  await page.getByLabel("Trials", { exact: true }).fill("5");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("0 trials of 5").waitFor();
  // The budget is spent elsewhere: the ask is refused, and says so.
  await server.api.post(`/v1/studies/${study.id}/ask`, { count: 5 });
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await page.getByText("budget is spent", { exact: false }).first().waitFor();
  await page.getByLabel("More actions").click();
  await page.getByRole("button", { name: "Delete…" }).click();
  assert.ok(await page.getByRole("button", { name: "Delete", exact: true }).isDisabled());
  await page.getByLabel("Confirmation").fill("to be paused");
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("heading", { name: "Studies" }).waitFor();
  await page.goto(at(`/studies/${study.id}`));
  await page.getByText("There is no such study").waitFor();
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});

test("studies are searched, filtered and compared", async () => {
  const api = server.api;
  const [a, b] = [await api.post("/v1/studies", { name: "soap one", ...WIDE }), await api.post("/v1/studies", { name: "soap two", ...WIDE })];
  await Promise.all([fill(api, a.id, 60, 1), fill(api, b.id, 60, 2)]);
  await api.patch(`/v1/studies/${b.id}`, { state: "completed" });
  const page = await open(browser);
  await page.goto(at("/"));
  await page.getByRole("searchbox").fill("SOAP");
  await page.locator(".study-row").nth(1).waitFor();
  await page.waitForFunction(() => document.querySelectorAll(".study-row").length === 2);
  await page.getByRole("button", { name: "Completed" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".study-row").length === 1);
  assert.match(page.url(), /search=SOAP&state=completed/);
  await page.getByRole("searchbox").fill("no such name");
  await page.getByText("No study fits").waitFor();
  await page.goto(at(`/compare?studies=${a.id},${b.id}`));
  await page.getByRole("rowheader", { name: "soap two" }).waitFor();
  const best = (await api.get(`/v1/studies/${a.id}/best`)).trials[0].metrics.loss.value;
  assert.ok((await page.getByRole("row", { name: /soap one/ }).textContent()).includes(String(Number(best.toPrecision(5)))));
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});

test("a page outlives its service, and goes on when that is back", async () => {
  const own = await serve();
  const study = await own.api.post("/v1/studies", plane("interrupted"));
  const page = await open(browser);
  await page.goto(`${own.url}/studies/${study.id}`);
  await page.getByText("live", { exact: true }).waitFor();
  await own.stop();
  await page.getByText("connection lost", { exact: false }).waitFor();
  const back = await serve({ listen: new URL(own.url).host, database: own.database });
  await page.getByText("live", { exact: true }).waitFor();
  await back.api.post(`/v1/studies/${study.id}/ask`, { worker: "after" });
  await page.getByRole("cell", { name: "after" }).waitFor();
  await page.context().close();
  await back.stop();
  own.remove();
});

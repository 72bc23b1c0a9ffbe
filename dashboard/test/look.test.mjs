// For everybody: no violation that axe knows of in either theme or at a phone's width, a policy that holds, and hostile
// text that stays text.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, fill, open, serve, throughNetwork, uploaded, violations, WIDE } from "./given.mjs";

let server, browser, study, network, solved;
before(async () => {
  [server, browser] = await Promise.all([serve(), browse()]);
  study = await server.api.post("/v1/studies", { name: "looked at", ...WIDE });
  await fill(server.api, study.id, 120);
  await server.api.post(`/v1/studies/${study.id}/ask`, { count: 2, worker: "ada" });
  network = await uploaded(server.url, "bio_phi");
  solved = await server.api.post("/v1/studies", throughNetwork("solved", network));
  await server.api.post(`/v1/studies/${solved.id}/solve`, { evaluations: 12 });
});
after(async () => {
  await browser?.close();
  await server?.stop();
  server?.remove();
});

const PAGES = () => [
  ["/", ".study-row"], ["/new", "text=to be settled"], [`/studies/${study.id}`, ".pairs td"], [`/studies/${study.id}/trials`, ".table-row .state"],
  [`/studies/${study.id}/plots`, "#plot-durations, #plot-plane canvas"], [`/studies/${study.id}/bench`, ".open-trial"], [`/studies/${study.id}/setup`, ".code pre"],
  [`/studies/${study.id}?trial=3`, "dialog .pairs"], [`/compare?studies=${study.id}`, "#plot-compare canvas"], ["/studies/nothing", "text=no such study"],
  [`/studies/${study.id}/model`, "#plot-over canvas"], ["/networks", ".pairs a"], [`/networks/${network.id}`, "text=Coefficients"], [`/studies/${solved.id}`, ".solve"], ["/networks/nothing", "text=no such network"], ["/networks/none/none", "text=nothing at this path"],
];

for (const [theme, width] of [["light", 1360], ["dark", 1360], ["light", 390], ["dark", 390]]) {
  test(`axe finds nothing in the ${theme} theme, ${width} pixels wide`, async () => {
    const page = await open(browser, { colorScheme: theme, viewport: { width, height: 850 }, bypassCSP: true, reducedMotion: "reduce" });
    const found = [];
    for (const [path, sign] of PAGES().slice(0, -1)) {
      await page.goto(server.url + path);
      await page.locator(sign).first().waitFor();
      found.push(...(await violations(page)).map((each) => `${path} ${each}`));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) found.push(`${path} is ${wide} pixels wider than the window`);
    }
    assert.deepEqual(found, []);
    assert.deepEqual(page.wrong, []);
    await page.context().close();
  });
}

test("the policy is strict, and holds on every page", async () => {
  const response = await fetch(`${server.url}/`);
  const policy = response.headers.get("content-security-policy");
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
  const page = await open(browser);
  for (const [path, sign] of PAGES().slice(0, -1)) {
    await page.goto(server.url + path);
    await page.locator(sign).first().waitFor();
  }
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});

test("every control of a page is reached by the keyboard, the first of them skips to the page", async () => {
  const page = await open(browser);
  await page.goto(`${server.url}/`);
  await page.locator(".study-row").first().waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the page");
  const seen = new Set();
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press("Tab");
    seen.add(await page.evaluate(() => document.activeElement.textContent.trim().slice(0, 20) || document.activeElement.getAttribute("aria-label")));
  }
  for (const wanted of ["Studies", "New study", "Search names", "Active"]) assert.ok([...seen].some((each) => each?.startsWith(wanted)), `${wanted} of ${[...seen].join(", ")}`);
  await page.goto(`${server.url}/`);
  await page.locator(".study-row").first().waitFor();
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.type), "search");
  await page.context().close();
});

test("names, notes and choices of any kind are shown as text", async () => {
  const html = `<img src=x onerror="alert(1)"><script>alert(2)</script>`;
  const rtl = "‮ילדים 👩‍🔬 &amp; \"quoted\" 'x'";
  const long = "long ".repeat(2000).trim();
  const name = `${html} ${rtl}`.slice(0, 190);
  const hostile = await server.api.post("/v1/studies", {
    name, metadata: { owner: html },
    parameters: [{ name: `p ${html}`.slice(0, 100), type: "categorical", choices: [html, rtl] }, { name: "=1+1", type: "float", low: 0, high: 1 }],
    metrics: [{ name: `m ${html}`.slice(0, 100), goal: "minimize" }], algorithm: { acquisition: "space_filling" },
  });
  const path = `/v1/studies/${hostile.id}`;
  await server.api.post(`${path}/ask`, { count: 3, worker: `${html} ${long}`.slice(0, 10_000) });
  await server.api.post(`${path}/trials/0/tell`, { metrics: { [hostile.metrics[0].name]: 1 } });
  await server.api.post(`${path}/trials/1/tell`, { failed: `${html} ${long}`.slice(0, 10_000) });
  await server.api.patch(`${path}/trials/0`, { note: `${html} ${long}`.slice(0, 10_000), tags: [html, rtl, "x".repeat(300)] });
  const page = await open(browser);
  await page.goto(`${server.url}/`);
  await page.getByText(html, { exact: false }).first().waitFor();
  for (const view of ["", "/trials", "/plots", "/bench", "/setup", "?trial=0"]) {
    await page.goto(`${server.url}/studies/${hostile.id}${view}`);
    await page.locator("h1").waitFor();
    assert.equal(await page.locator("h1").textContent(), name);
    await page.waitForTimeout(250);
    assert.equal(await page.locator("img:not([src='/assets/icon.svg']), script:not([src])").count(), 0, view);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${view || "overview"} is ${wide} pixels wider than the window`);
  }
  assert.ok((await page.getByRole("dialog").getByLabel("Note", { exact: true }).inputValue()).startsWith(html));
  await page.goto(`${server.url}/compare?studies=${hostile.id}`);
  await page.getByRole("rowheader", { name: "onerror" }).waitFor();
  assert.deepEqual(page.wrong, []);
  await page.context().close();
});

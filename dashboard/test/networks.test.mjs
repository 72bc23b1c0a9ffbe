// Networks: uploaded, refused, inspected, solved through, watched, cancelled and deleted.
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { browse, open, serve } from "./given.mjs";

const fixture = (name) => join(dirname(fileURLToPath(import.meta.url)), "../../tests/fixtures/networks", `${name}.onnx`);
let server, browser, page;
before(async () => {
  [server, browser] = await Promise.all([serve(), browse()]);
  page = await open(browser);
});
after(async () => {
  await browser?.close();
  await server?.stop();
  server?.remove();
});

async function upload(name, file) {
  await page.goto(`${server.url}/networks`);
  await page.getByLabel("ONNX file").setInputFiles(file);
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByRole("button", { name: "Upload" }).click();
}

test("a network is uploaded and inspected, and a file that is none is refused", async () => {
  await page.goto(`${server.url}/`);
  await page.getByRole("link", { name: "Networks" }).click();
  await page.getByText("No network yet").waitFor();
  await page.getByLabel("ONNX file").setInputFiles({ name: "notes.onnx", mimeType: "text/plain", buffer: Buffer.from("this is no network") });
  await page.getByRole("button", { name: "Upload" }).click();
  await page.getByRole("alert").waitFor();
  assert.match(await page.getByRole("alert").textContent(), /impossible/);
  await upload("<b>biodiesel</b>", fixture("bio_phi"));
  await page.getByRole("heading", { name: "<b>biodiesel</b>" }).waitFor();
  const { networks } = await server.api.get("/v1/networks");
  assert.equal(networks.length, 1);
  await page.getByText(networks[0].id, { exact: true }).waitFor();
  await page.getByRole("rowheader", { name: networks[0].inputs[0].name, exact: true }).first().waitFor();
  assert.deepEqual(page.wrong, []);
});

test("a study through two networks is created, solved and watched", async () => {
  await upload("goal", fixture("bio_goal"));
  await page.getByRole("heading", { name: "goal" }).waitFor();
  const { networks } = await server.api.get("/v1/networks");
  await page.goto(`${server.url}/networks/${networks[0].id}`);
  await page.getByLabel("Name", { exact: true }).fill("biodiesel");
  await page.getByLabel("Inputs from").fill("0");
  await page.getByLabel("Of", { exact: true }).selectOption({ label: "goal" });
  // What the service refuses is said as it says it.
  await page.getByLabel("Evaluations").fill("40");
  await page.getByLabel("to", { exact: true }).fill("-1");
  await page.getByRole("button", { name: "Create and solve" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("to", { exact: true }).fill("1");
  await page.getByRole("button", { name: "Create and solve" }).click();
  await page.getByRole("heading", { name: "biodiesel" }).waitFor();
  // It moves on while one looks.
  await page.getByRole("progressbar", { name: "Evaluations of the solve" }).waitFor();
  await page.locator(".solve").getByText("40 of 40", { exact: false }).waitFor({ timeout: 60_000 });
  await page.locator(".solve .is-completed").waitFor();
  const { studies } = await server.api.get("/v1/studies?name=biodiesel");
  assert.equal(studies[0].trial_counts.completed, 40);
  // Who led, and with what.
  await page.getByRole("link", { name: "Plots", exact: true }).click();
  await page.locator("#plot-origins canvas").waitFor();
  assert.match(await page.locator("#plot-origins .legend").textContent(), /attack|poll|covering/);
  assert.match(await page.locator("#plot-origins .note").textContent(), /Improvements: \d+ by/);
  await page.goto(`${server.url}/studies/${studies[0].id}/setup`);
  await page.getByRole("link", { name: "a network" }).click();
  await page.getByRole("heading", { name: "<b>biodiesel</b>" }).waitFor();
  assert.deepEqual(page.wrong, []);
});

test("a solve is started again and cancelled, and a network in use is kept", async () => {
  const { studies } = await server.api.get("/v1/studies?name=biodiesel");
  await page.goto(`${server.url}/studies/${studies[0].id}`);
  await page.getByLabel("Evaluations", { exact: true }).fill("0");
  await page.getByRole("button", { name: "Solve further" }).click();
  await page.getByRole("alert").getByText("1 to", { exact: false }).first().waitFor();
  await page.getByLabel("Evaluations", { exact: true }).fill("100000");
  await page.getByRole("button", { name: "Solve further" }).click();
  await page.getByRole("button", { name: "Cancel the solve" }).click();
  await page.locator(".solve").getByText("cancelled").waitFor();
  const { networks } = await server.api.get("/v1/networks");
  await page.goto(`${server.url}/networks/${networks[0].id}`);
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("dialog").getByRole("alert").waitFor();
  assert.equal((await server.api.get("/v1/networks")).networks.length, 2);
  await upload("unused", fixture("bio_goal"));
  await page.getByRole("heading", { name: "unused" }).waitFor();
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("rowheader", { name: "goal" }).waitFor();
  assert.equal((await server.api.get("/v1/networks")).networks.length, 2);
  assert.deepEqual(page.wrong, []);
});

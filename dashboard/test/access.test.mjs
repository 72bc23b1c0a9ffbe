// Signing in, being refused, tokens, projects, quotas and the log, on a server that asks who one is.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, client, freePort, issue, open, serve, token, violations } from "./given.mjs";

let server, browser, page, admin;
before(async () => {
  [server, browser] = await Promise.all([serve({ auth: true }), browse()]);
  admin = token(server.database, "the host");
  page = await open(browser);
});
after(async () => {
  await browser?.close();
  await server?.stop();
  server?.remove();
});

async function signIn(secret) {
  await page.goto(`${server.url}/`);
  await page.getByLabel("Token").fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
}

test("nobody sees anything without a token, and a wrong one is refused", async () => {
  await page.goto(`${server.url}/access`);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await signIn(`tellus_${"0".repeat(64)}`);
  await page.getByRole("alert").waitFor();
  assert.match(await page.getByRole("alert").textContent(), /not known/);
});

test("an admin signs in, makes a project with quotas, and a token of it", async () => {
  await signIn(admin);
  await page.getByRole("heading", { name: "Studies" }).waitFor();
  await page.getByRole("link", { name: "Access" }).click();
  await page.getByRole("link", { name: "Projects" }).click();
  await page.getByLabel("Name", { exact: true }).fill("optics");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("heading", { name: "optics" }).waitFor();
  await page.getByRole("button", { name: "Quotas… of optics" }).click();
  await page.getByLabel("Studies", { exact: true }).fill("1");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  const { quotas } = await client(server.url, admin).get("/v1/projects/optics");
  assert.equal(quotas.studies, 1);

  await page.getByRole("link", { name: "Tokens" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Ada <b>");
  await page.getByLabel("Project").selectOption("optics");
  await page.getByLabel("Role").selectOption("viewer");
  await page.getByRole("button", { name: "Make a token" }).click();
  const secret = (await page.getByLabel("The new token").locator("code").textContent()).trim();
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByRole("rowheader", { name: "Ada <b>" }).waitFor();
  await assert.rejects(client(server.url, secret).post("/v1/studies", { name: "s", parameters: [], metrics: [] }), /403/);

  await page.getByRole("link", { name: "Audit" }).click();
  await page.getByRole("cell", { name: "create_token" }).first().waitFor();
  assert.deepEqual(page.wrong, []);

  await page.getByRole("link", { name: "Tokens" }).click();
  await page.getByRole("button", { name: "Revoke Ada <b>" }).click();
  await page.getByRole("button", { name: "Revoke", exact: true }).click();
  await page.getByRole("cell", { name: "revoked" }).waitFor();
  await assert.rejects(client(server.url, secret).get("/v1/studies"), /401/);
});

test("who signs out, or whose session was ended elsewhere, signs in again", async () => {
  await page.getByRole("button", { name: /Sign out/ }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  const own = token(server.database, "Bob", "default=experimenter");
  await signIn(own);
  await page.getByRole("heading", { name: "Studies" }).waitFor();
  const { tokens } = await client(server.url, admin).get("/v1/tokens");
  const { id } = tokens.find(({ name }) => name === "Bob");
  await fetch(`${server.url}/v1/tokens/${id}`, { method: "DELETE", headers: { authorization: `Bearer ${admin}` } });
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.deepEqual(page.wrong, []);
});

for (const [theme, width] of [["light", 1360], ["dark", 390]]) {
  test(`axe finds nothing in the ${theme} theme, ${width} pixels wide`, async () => {
    const seen = await open(browser, { colorScheme: theme, viewport: { width, height: 850 }, bypassCSP: true, reducedMotion: "reduce" });
    const found = [];
    const look = async (path, sign) => {
      await seen.goto(server.url + path);
      await seen.locator(sign).first().waitFor();
      found.push(...(await violations(seen)).map((each) => `${path} ${each}`));
      const wide = await seen.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) found.push(`${path} is ${wide} pixels wider than the window`);
    };
    await look("/", "input[type=password]");
    await seen.getByLabel("Token").fill(admin);
    await seen.getByRole("button", { name: "Sign in" }).click();
    await seen.getByRole("heading", { name: "Studies" }).waitFor();
    for (const [path, sign] of [["/access", ".pairs code"], ["/access/projects", ".pairs td"], ["/access/audit", ".pairs code"]]) await look(path, sign);
    assert.deepEqual(found, []);
    await seen.context().close();
  });
}

test("people sign in at the issuer of their lab, and come back to where they were", async () => {
  const port = await freePort();
  const issuer = await issue(`http://127.0.0.1:${port}/v1/sign-in/callback`, { ada: { name: "Ada Lovelace", groups: ["chemists"] }, eve: { name: "Eve" } });
  const also = ["--oidc-issuer", issuer.url, "--oidc-client-id", "tellus", "--oidc-scope", "profile,groups", "--oidc-role", "chemists:default=owner", "--public-url", `http://127.0.0.1:${port}`];
  process.env.TELLUS_OIDC_CLIENT_SECRET = "the client's secret / %";
  const lab = await serve({ listen: `127.0.0.1:${port}`, auth: true, also });
  const visitor = await open(browser);
  const signIn = async (login) => {
    await visitor.getByRole("link", { name: /Sign in with 127\.0\.0\.1/ }).click();
    await visitor.getByPlaceholder("Enter any login").fill(login);
    await visitor.getByPlaceholder("and password").fill("any");
    await visitor.getByRole("button", { name: "Sign-in" }).click();
    await visitor.getByRole("button", { name: "Continue" }).click();
  };
  try {
    await visitor.goto(`${lab.url}/access/audit`);
    await visitor.getByRole("heading", { name: "Sign in" }).waitFor();
    assert.deepEqual(await violations(visitor), []);
    await signIn("ada");
    await visitor.getByRole("cell", { name: "sign_in" }).waitFor();
    assert.equal(new URL(visitor.url()).pathname, "/access/audit");
    await visitor.getByRole("link", { name: "Tokens" }).click();
    await visitor.getByRole("row", { name: /Ada Lovelace.*signs in at 127/ }).waitFor();
    await visitor.getByRole("button", { name: /Signed in as Ada Lovelace/ }).click();
    await visitor.getByRole("heading", { name: "Sign in" }).waitFor();
    assert.deepEqual(visitor.wrong, []);

    // Somebody else at the same machine, who has no role.
    await visitor.context().clearCookies();
    await signIn("eve");
    await visitor.getByRole("alert").waitFor();
    assert.match(await visitor.getByRole("alert").textContent(), /no role here/);
    assert.deepEqual(await violations(visitor), []);
  } finally {
    delete process.env.TELLUS_OIDC_CLIENT_SECRET;
    await lab.stop();
    lab.remove();
    issuer.stop();
  }
});

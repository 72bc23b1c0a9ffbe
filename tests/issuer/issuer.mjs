// The issuer that the tests sign in at: oidc-provider, with its own pages for logging in and consent.
//
//   node issuer.mjs REDIRECT_URI
//
// Prints its URL, and serves until its standard input ends. POST /control changes what the tests change of it: `accounts`
// (claims by login), `client` (of the client that it knows), `rotate` (other keys, and everybody is forgotten).
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const [redirect] = process.argv.slice(2);
let accounts = {};
let client = { client_id: "tellus", client_secret: "the client's secret / %", redirect_uris: [redirect] };
let callback;

function key() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), alg: "RS256", use: "sig" };
}

function issue(url) {
  const provider = new Provider(url, {
    clients: [client],
    jwks: { keys: [key()] },
    cookies: { keys: ["of the tests"] },
    claims: { openid: ["sub"], profile: ["name"], email: ["email"], groups: ["groups"] },
    scopes: ["openid", "profile", "email", "groups"],
    pkce: { required: () => true },
    findAccount: (_, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
  });
  callback = provider.callback();
}

const server = createServer(async (request, response) => {
  if (request.url !== "/control") return callback(request, response);
  let body = "";
  for await (const part of request) body += part;
  const change = JSON.parse(body);
  accounts = change.accounts ?? accounts;
  client = { ...client, ...change.client };
  if (change.rotate || change.client) issue(url);
  response.end();
});
let url;
server.listen(0, "127.0.0.1", () => {
  url = `http://127.0.0.1:${server.address().port}`;
  issue(url);
  console.log(url);
});
process.stdin.resume().on("end", () => process.exit());

//! People sign in at a real issuer, through its own pages.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value as Json, json};

use crate::server::{Server, plane};
use crate::user::{User, execute, tellus};

/// An issuer, as `tests/issuer/issuer.mjs` starts it; it ends with its standard input.
struct Issuer {
    url: String,
    process: Child,
    /// Whatever else it says; it ends where nobody would hear that.
    _said: BufReader<ChildStdout>,
    client: Client,
}

impl Issuer {
    fn start() -> Self {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/issuer");
        assert!(
            std::path::Path::new(directory).join("node_modules/oidc-provider").is_dir(),
            "the issuer is missing: npm --prefix tests/issuer ci"
        );
        let mut command = Command::new("node");
        command.current_dir(directory).args(["issuer.mjs", "http://127.0.0.1:1/v1/sign-in/callback"]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut url = String::new();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        said.read_line(&mut url).unwrap();
        Self { url: url.trim().to_owned(), process, _said: said, client: Client::new() }
    }

    async fn control(&self, change: Json) {
        let request = self.client.post(format!("{}/control", self.url)).json(&change);
        assert_eq!(request.send().await.unwrap().status(), 200);
    }

    /// A server whose people sign in here, with these rules; further ones on its database are like it.
    async fn serve(&self, database: &str, rules: &str) -> Server {
        let mut command = Server::command(database);
        command
            .args(["--auth", "--oidc-client-id", "tellus", "--oidc-scope", "profile,email,groups"])
            .args(["--oidc-issuer", &self.url, "--public-url", "http://127.0.0.1:1", "--oidc-role", rules])
            .env("TELLUS_OIDC_CLIENT_SECRET", "the client's secret / %")
            .env("RUST_LOG", "error");
        Server::launch(&mut command).await
    }
}

/// A browser: it keeps cookies, and stays where it is sent.
struct Browser {
    client: Client,
    /// By host and port, and by name.
    cookies: BTreeMap<(String, String), String>,
}

impl Browser {
    fn new() -> Self {
        Self { client: Client::builder().redirect(Policy::none()).build().unwrap(), cookies: BTreeMap::new() }
    }

    fn host(url: &str) -> String {
        url.split('/').nth(2).unwrap().to_owned()
    }

    async fn send(&mut self, url: &str, form: Option<&str>) -> Response {
        let host = Self::host(url);
        let mine = self.cookies.iter().filter(|((at, _), _)| *at == host);
        let cookies: Vec<String> = mine.map(|((_, name), value)| format!("{name}={value}")).collect();
        let request = match form {
            Some(form) => self
                .client
                .post(url)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form.to_owned()),
            None => self.client.get(url),
        };
        let response = request.header(COOKIE, cookies.join("; ")).send().await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            let key = (host.clone(), name.to_owned());
            if value.is_empty() || cookie.contains("Max-Age=0") {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
        response
    }

    fn cookie(&self, server: &Server, name: &str) -> Option<&str> {
        self.cookies.get(&(Self::host(&server.url), name.to_owned())).map(String::as_str)
    }

    /// Begins to sign in. Returns where the issuer is.
    async fn begin(&mut self, server: &Server, to: &str) -> String {
        let response = self.send(&format!("{}/v1/sign-in?to={to}", server.url), None).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        location(&response)
    }

    /// Logs in at the issuer as `login`. Returns where it sends the browser with its answer: to the address that people know, where
    /// nothing listens here.
    async fn log_in(&mut self, at: &str, login: &str) -> String {
        let mut url = at.to_owned();
        for _ in 0..20 {
            let response = self.send(&url, None).await;
            let mut next = location(&response);
            if response.status() == 200 {
                let page = response.text().await.unwrap();
                let action = between(&page, "action=\"", "\"");
                let form = match between(&page, "name=\"prompt\" value=\"", "\"") {
                    "login" => format!("prompt=login&login={login}&password=any"),
                    "consent" => "prompt=consent".to_owned(),
                    other => panic!("{other}: {page}"),
                };
                next = location(&self.send(action, Some(&form)).await);
            }
            assert!(!next.is_empty(), "the issuer leads nowhere at {url}");
            if next.starts_with("http://127.0.0.1:1/") {
                return next;
            }
            url = next;
        }
        panic!("the issuer leads round and round: {url}");
    }

    /// Comes back to a server with the issuer's answer. Returns where it is sent then.
    async fn come_back(&mut self, server: &Server, answer: &str) -> String {
        let response = self.send(&answer.replacen("http://127.0.0.1:1", &server.url, 1), None).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        location(&response)
    }

    /// All of it. Returns where the browser is at last.
    async fn sign_in(&mut self, server: &Server, login: &str) -> String {
        let at = self.begin(server, "%2Fstudies").await;
        let answer = self.log_in(&at, login).await;
        self.come_back(server, &answer).await
    }

    /// What the server answers to the session's own question of who it is.
    async fn whoami(&mut self, server: &Server) -> (u16, Json) {
        let response = self.send(&format!("{}/v1/tokens/self", server.url), None).await;
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Creates a study as a page of the server does.
    async fn create(&self, server: &Server, project: &str) -> u16 {
        let mut study = plane("by a person", "auto");
        study["project"] = json!(project);
        let cookie = format!("tellus_session={}", self.cookie(server, "tellus_session").unwrap());
        let request = self.client.post(format!("{}/v1/studies", server.url)).json(&study);
        let request = request.header(COOKIE, cookie).header("sec-fetch-site", "same-origin");
        request.send().await.unwrap().status().as_u16()
    }
}

fn location(response: &Response) -> String {
    let location = response.headers().get(LOCATION).map(|location| location.to_str().unwrap().to_owned());
    match location {
        Some(path) if path.starts_with('/') && response.url().port() != Some(1) && is_of_issuer(response) => {
            format!("http://{}{path}", Browser::host(response.url().as_str()))
        }
        Some(url) => url,
        None => String::new(),
    }
}

/// The issuer's redirects may be paths, which are completed; the server's are compared as they are.
fn is_of_issuer(response: &Response) -> bool {
    !response.url().path().starts_with("/v1/")
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {text}"));
    rest.split(after).next().unwrap()
}

const RULES: &str = "chemists:catalysis=experimenter,chemists:to-come=experimenter,heads:*=admin";

fn accounts() -> Json {
    json!({
        "ada": {"name": "Ada Lovelace", "email": "ada@lab", "groups": ["chemists"]},
        "bob": {"name": "Bob", "groups": ["heads", "chemists"]},
        "eve": {"name": "Eve", "groups": ["visitors"]},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_and_may_do_what_their_groups_may() {
    let issuer = Issuer::start();
    issuer.control(json!({"accounts": accounts()})).await;
    let schema = crate::postgres::schema().await;
    let root = tellus(&schema.url, &["token", "create", "root"]);
    let servers = [issuer.serve(&schema.url, RULES).await, issuer.serve(&schema.url, RULES).await];
    let admin = User::new(&servers[0], Some(root.trim()));
    admin.post("/v1/projects", json!({"name": "catalysis"})).await.is(201);

    // Asked by a browser at one server, answered by the other.
    let mut ada = Browser::new();
    let at = ada.begin(&servers[0], "%2Fstudies%3Fstate%3Dactive").await;
    assert!(at.starts_with(&issuer.url) && at.contains("code_challenge_method=S256"), "{at}");
    let answer = ada.log_in(&at, "ada").await;
    let moved = ada
        .cookies
        .iter()
        .map(|((_, name), value)| ((Browser::host(&servers[1].url), name.clone()), value.clone()));
    ada.cookies = moved.collect();
    assert_eq!(ada.come_back(&servers[1], &answer).await, "/studies?state=active");
    assert!(ada.cookie(&servers[1], "tellus_sign_in").is_none());
    let (status, who) = ada.whoami(&servers[1]).await;
    assert_eq!((status, &who["name"]), (200, &json!("Ada Lovelace <ada@lab>")), "{who}");
    assert_eq!(who["roles"], json!({"catalysis": "experimenter", "to-come": "experimenter"}));
    assert_eq!(ada.create(&servers[1], "catalysis").await, 201);
    assert_eq!(ada.create(&servers[1], "default").await, 404);
    // A project that a rule names before it is made.
    assert_eq!(ada.create(&servers[1], "to-come").await, 404);
    admin.post("/v1/projects", json!({"name": "to-come"})).await.is(201);
    assert_eq!(ada.create(&servers[1], "to-come").await, 201);

    // A code is good once, and only for who asked.
    assert_eq!(Browser::new().come_back(&servers[1], &answer).await, "/?sign_in=expired");
    let mut again = Browser::new();
    again.begin(&servers[1], "%2F").await;
    let state = between(&answer, "state=", "&").to_owned();
    assert_eq!(again.come_back(&servers[1], &answer).await, "/?sign_in=expired");
    let at = again.begin(&servers[1], "%2F").await;
    let own = between(&at, "state=", "&");
    assert_eq!(again.come_back(&servers[1], &answer.replace(&state, own)).await, "/?sign_in=refused");

    // An admin by another group; somebody whose groups give nothing.
    let mut bob = Browser::new();
    assert_eq!(bob.sign_in(&servers[0], "bob").await, "/studies");
    assert_eq!(
        bob.whoami(&servers[0]).await.1["roles"],
        json!({"*": "admin", "catalysis": "experimenter", "to-come": "experimenter"})
    );
    let mut eve = Browser::new();
    assert_eq!(eve.sign_in(&servers[0], "eve").await, "/?sign_in=no-role");
    assert_eq!(eve.whoami(&servers[0]).await.0, 401);

    // The log says who, and the list of tokens has the people in it, without their sessions.
    let log = admin.get("/v1/audit?action=create_study").await.is(200).body;
    assert_eq!(log["entries"][0]["who"], "Ada Lovelace <ada@lab>", "{log}");
    let tokens = admin.get("/v1/tokens").await.is(200).body;
    let people: Vec<&Json> =
        tokens["tokens"].as_array().unwrap().iter().filter(|token| !token["person"].is_null()).collect();
    assert_eq!(people.len(), 2, "{tokens}");
    assert_eq!(people[0]["person"], json!({"issuer": issuer.url, "subject": "ada"}));

    // Other groups at the next sign-in hold in the sessions that are there, too; who has none left keeps nothing.
    let mut changed = accounts();
    changed["ada"] = json!({"name": "Ada King", "email": "ada@lab", "groups": ["heads"]});
    issuer.control(json!({"accounts": changed})).await;
    let mut elsewhere = Browser::new();
    assert_eq!(elsewhere.sign_in(&servers[0], "ada").await, "/studies");
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let (_, who) = ada.whoami(&servers[1]).await;
    assert_eq!((&who["name"], &who["roles"]), (&json!("Ada King <ada@lab>"), &json!({"*": "admin"})));
    let tokens = admin.get("/v1/tokens").await.is(200).body;
    assert_eq!(tokens["tokens"].as_array().unwrap().len(), 3, "{tokens}");

    // Whom an admin revokes has no session left.
    let ada_id = people[0]["id"].as_str().unwrap().to_owned();
    admin.delete(&format!("/v1/tokens/{ada_id}")).await.is(204);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(ada.whoami(&servers[1]).await.0, 401);
    assert_eq!(elsewhere.whoami(&servers[0]).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_changes_its_keys_or_is_away_is_borne() {
    let mut issuer = Issuer::start();
    issuer.control(json!({"accounts": accounts()})).await;
    let directory = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", directory.path().join("tellus.sqlite").display());
    let root = tellus(&database, &["token", "create", "root"]);
    let server = issuer.serve(&database, RULES).await;
    let admin = User::new(&server, Some(root.trim()));
    let options = server.get("/v1/session").await.1;
    assert_eq!(options, json!({"token": true, "issuer": Browser::host(&issuer.url)}));

    let mut bob = Browser::new();
    assert_eq!(bob.sign_in(&server, "bob").await, "/studies");
    issuer.control(json!({"rotate": true})).await;
    // Keys that were just looked at are not looked at again for five seconds.
    tokio::time::sleep(Duration::from_millis(5100)).await;
    assert_eq!(Browser::new().sign_in(&server, "bob").await, "/studies");

    // No page of another host is gone to.
    for elsewhere in ["%2F%2Fevil.example", "https%3A%2F%2Fevil.example", "%2F%5Cevil.example"] {
        let mut browser = Browser::new();
        let at = browser.begin(&server, elsewhere).await;
        let answer = browser.log_in(&at, "bob").await;
        assert_eq!(browser.come_back(&server, &answer).await, "/");
    }
    // Who says no at the issuer, and an answer that is another issuer's.
    let mut browser = Browser::new();
    let at = browser.begin(&server, "%2F").await;
    let state = between(&at, "state=", "&").to_owned();
    let back = |rest: &str| format!("http://127.0.0.1:1/v1/sign-in/callback?state={state}&{rest}");
    assert_eq!(browser.come_back(&server, &back("error=access_denied")).await, "/?sign_in=refused");
    assert_eq!(browser.come_back(&server, &back("code=x")).await, "/?sign_in=expired");
    let at = browser.begin(&server, "%2F").await;
    let answer = browser.log_in(&at, "bob").await;
    let forged = answer.replace("iss=", "iss=http%3A%2F%2Fevil.example&was=");
    assert_ne!(forged, answer);
    assert_eq!(browser.come_back(&server, &forged).await, "/?sign_in=refused");

    // A secret that is no longer the client's.
    issuer.control(json!({"client": {"client_secret": "another one"}})).await;
    assert_eq!(Browser::new().sign_in(&server, "bob").await, "/?sign_in=refused");

    // Gone: who is signed in stays, tokens work, and a server that starts knows that it cannot ask.
    issuer.process.kill().unwrap();
    issuer.process.wait().unwrap();
    assert_eq!(bob.whoami(&server).await.0, 200);
    admin.get("/v1/studies").await.is(200);
    let server = issuer.serve(&database, RULES).await;
    let mut browser = Browser::new();
    assert_eq!(browser.begin(&server, "%2F").await, "/?sign_in=unavailable");
    assert!(browser.cookie(&server, "tellus_sign_in").is_none());
    assert_eq!(server.get("/readyz").await.0, 200);
    // Of those who signed in there is one, however often they did.
    assert_eq!(execute(&database, "UPDATE tokens SET name = name WHERE subject = 'bob'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_issuer_nobody_signs_in_and_half_a_setting_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", directory.path().join("tellus.sqlite").display());
    let server = Server::start(&database).await;
    assert_eq!(server.get("/v1/session").await.1, json!({"token": false, "issuer": null}));
    for path in ["/v1/sign-in", "/v1/sign-in/callback?code=x&state=y"] {
        let (status, problem) = server.get(path).await;
        assert_eq!(status, 404);
        assert!(problem["detail"].as_str().unwrap().contains("--oidc-issuer"), "{problem}");
    }
    let whole = [
        "--auth",
        "--oidc-issuer=https://issuer.lab",
        "--oidc-client-id=tellus",
        "--oidc-role=heads:*=admin",
        "--public-url=https://tellus.lab",
    ];
    let refused = |arguments: Vec<&str>| {
        let mut command = Server::command(&database);
        let output = command.args(arguments).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for missing in ["--auth", "--oidc-client-id", "--oidc-role", "--public-url"] {
        let said = refused(whole.into_iter().filter(|argument| !argument.starts_with(missing)).collect());
        assert!(said.contains(missing), "{said}");
    }
    let http = whole.map(|argument| argument.replace("https://issuer.lab", "http://issuer.lab"));
    let said = refused(http.iter().map(String::as_str).collect());
    assert!(said.contains("the issuer \"http://issuer.lab\" begins with https://"), "{said}");
}

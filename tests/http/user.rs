//! A server with authentication, and users with tokens of it.

use std::process::Command;

use reqwest::header::HeaderMap;
use serde_json::{Value as Json, json};

use crate::server::Server;

/// Somebody with a token, or without.
pub(crate) struct User {
    url: String,
    client: reqwest::Client,
    pub(crate) token: Option<String>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Json,
}

impl Answered {
    /// The last word of the problem's cause.
    pub(crate) fn cause(&self) -> &str {
        self.body["type"].as_str().unwrap_or_default().rsplit(':').next().unwrap_or_default()
    }

    /// The same, which has this status.
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }
}

impl User {
    pub(crate) fn new(server: &Server, token: Option<&str>) -> Self {
        let token = token.map(ToOwned::to_owned);
        Self { url: server.url.clone(), client: server.client.clone(), token }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.url));
        self.token.iter().fold(request, |request, token| request.bearer_auth(token))
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answered {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answered { status, headers, body: response.json().await.unwrap_or(Json::Null) }
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.send(self.request("GET", path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answered {
        self.send(self.request("DELETE", path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Json) -> Answered {
        self.send(self.request("POST", path).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Json) -> Answered {
        self.send(self.request("PATCH", path).json(&body)).await
    }

    /// A user with a new token of these roles, made by this one.
    pub(crate) async fn make(&self, server: &Server, name: &str, roles: Json) -> Self {
        let made = self.post("/v1/tokens", json!({"name": name, "roles": roles})).await.is(201);
        Self::new(server, made.body["secret"].as_str())
    }
}

/// `tellus` with these arguments on a database; its standard output.
pub(crate) fn tellus(database: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tellus"));
    let output = command.args(arguments).args(["--database", database]).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A server with `--auth`, and its admin, whose token the command line made.
pub(crate) async fn guarded(database: &str) -> (Server, User) {
    let token = tellus(database, &["token", "create", "root"]);
    let mut command = Server::command(database);
    let server = Server::launch(command.arg("--auth").env("RUST_LOG", "error")).await;
    let admin = User::new(&server, Some(token.trim()));
    (server, admin)
}

/// A server with projects `a` and `b`, and an owner of each.
pub(crate) async fn two_projects(database: &str) -> (Server, User, [User; 2]) {
    let (server, admin) = guarded(database).await;
    for project in ["a", "b"] {
        admin.post("/v1/projects", json!({"name": project})).await.is(201);
    }
    let ada = admin.make(&server, "ada", json!({"a": "owner"})).await;
    let bob = admin.make(&server, "bob", json!({"b": "owner"})).await;
    (server, admin, [ada, bob])
}

/// Executes a statement on a database behind the server's back. Returns how many rows it changed.
pub(crate) async fn execute(database: &str, statement: &str) -> u64 {
    use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
    let statement = AssertSqlSafe(statement.to_owned());
    if database.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(database).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap().rows_affected()
    } else {
        let mut connection = PgConnection::connect(database).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap().rows_affected()
    }
}

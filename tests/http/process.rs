//! The program as whoever hosts it meets it: what it prints, what it logs, and how it stops.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{Server, plane};

#[tokio::test(flavor = "multi_thread")]
async fn it_says_where_everything_is_and_its_first_commands_work() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tellus"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(directory.path().join("new/data"));
    command.env_remove("DATABASE_URL").env("RUST_LOG", "error").stdout(Stdio::piped());
    let (mut server, greeting) = greeted(&mut command);
    let place = |name: &str| {
        let line = greeting.iter().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
        line.unwrap_or_else(|| panic!("{name} is missing: {greeting:#?}")).to_owned()
    };
    assert_eq!(place("docs"), place("API").replace("/v1", "/docs"));
    let file = place("database");
    assert!(std::path::Path::new(file.strip_prefix("sqlite:").unwrap()).is_file(), "{file}");
    let docs = reqwest::get(place("docs")).await.unwrap();
    assert_eq!(docs.status(), 200);
    // What is printed is typed as it stands.
    let commands = greeting.iter().skip_while(|line| !line.starts_with("A first study"));
    let script: Vec<&str> = commands.skip(1).map(String::as_str).collect();
    assert!(script.len() > 3, "{greeting:#?}");
    let typed = Command::new("sh").args(["-e", "-c", &script.join("\n")]).output();
    server.kill().unwrap();
    server.wait().unwrap();
    let typed = typed.unwrap();
    let answers = String::from_utf8(typed.stdout).unwrap();
    assert!(typed.status.success(), "{answers}{}", String::from_utf8_lossy(&typed.stderr));
    assert!(answers.contains("\"state\":\"completed\""), "{answers}");
    assert!(answers.contains("\"recommended\":"), "{answers}");
}

/// Starts a server, and waits for the end of what it prints.
fn greeted(command: &mut Command) -> (Child, Vec<String>) {
    let mut server = command.spawn().unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || lines.map(|line| sender.send(line)).take_while(Result::is_ok).count());
    let mut greeting = Vec::new();
    loop {
        match receiver.recv_timeout(Duration::from_secs(30)) {
            Ok(line) if line.starts_with("Stop it") => return (server, greeting),
            Ok(line) => greeting.push(line),
            Err(_) => {
                server.kill().unwrap();
                panic!("it did not say how to stop it: {greeting:#?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_one_line_of_the_log_with_its_id() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("t.sqlite").display());
    let log = directory.path().join("log");
    let mut command = Server::command(&url);
    command.args(["--log-format", "json"]).env("RUST_LOG", "info");
    let server = Server::launch(command.stderr(std::fs::File::create(&log).unwrap())).await;
    let study = server.study(plane("logged", "space_filling")).await;
    let mut expected = Vec::new();
    for (path, id, status) in [
        (format!("{study}/ask"), None, 200),
        (format!("{study}/ask"), Some("from-a-client"), 200),
        ("/v1/no".into(), None, 404),
    ] {
        let request = server.client.post(format!("{}{path}", server.url));
        let request = id.into_iter().fold(request, |request, id| request.header("x-request-id", id));
        let response = request.send().await.unwrap();
        let answered = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert!(id.is_none_or(|id| id == answered));
        expected.push((path, answered, status));
    }
    server.terminate();
    assert!(server.ended().await.success());
    let lines: Vec<Json> = std::fs::read_to_string(log)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not structured: {line}")))
        .collect();
    for (path, id, status) in expected {
        let of_request = |line: &&Json| line["fields"]["request_id"] == id.as_str();
        let found: Vec<&Json> = lines.iter().filter(of_request).collect();
        assert_eq!(found.len(), 1, "{id}");
        let fields = &found[0]["fields"];
        assert_eq!((&fields["method"], &fields["path"]), (&json!("POST"), &json!(path)));
        assert_eq!(fields["status"], status);
        assert!(fields["milliseconds"].as_f64().is_some_and(|time| time > 0.0), "{fields}");
        assert!(found[0]["timestamp"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_was_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("t.sqlite").display());
    let server = Server::start(&url).await;
    let study = server.study(plane("stopped", "space_filling")).await;
    server.post(&format!("{study}/ask"), json!({})).await;
    let host = server.url.trim_start_matches("http://").to_owned();
    // One that listens, and one whose body has arrived by half when the server is told to stop.
    let mut listener = server.client.get(format!("{}{study}/events", server.url)).send().await.unwrap();
    let body = json!({"metrics": {"loss": 0.5}}).to_string();
    let mut stream = TcpStream::connect(&host).await.unwrap();
    let head = format!(
        "POST {study}/trials/0/tell HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body.as_bytes()[..10]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.terminate();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(TcpStream::connect(&host).await.is_err(), "a server that stops accepts nothing new");
    stream.write_all(&body.as_bytes()[10..]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let last = async { while let Ok(Some(_)) = listener.chunk().await {} };
    tokio::time::timeout(Duration::from_secs(5), last).await.expect("streams of events end");
    assert!(server.ended().await.success());
    let server = Server::start(&url).await;
    let (_, trial) = server.get(&format!("{study}/trials/0")).await;
    assert_eq!((&trial["state"], &trial["metrics"]["loss"]["value"]), (&json!("completed"), &json!(0.5)));
}

#[test]
fn it_refuses_to_start_where_it_would_be_exposed_or_has_no_database() {
    let fails = |arguments: &[&str], expected: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tellus"));
        let output = command.arg("serve").args(arguments).env_remove("DATABASE_URL").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(expected), "{arguments:?}: {said}");
        assert!(!said.contains("secret"), "{said}");
    };
    fails(&["--listen", "0.0.0.0:0"], "--insecure");
    fails(&["--listen", "127.0.0.1:0", "--database", "mysql://a:secret@127.0.0.1/b"], "mysql");
    fails(&["--listen", "127.0.0.1:0", "--database", "postgres://a:secret@127.0.0.1:1/b"], "127.0.0.1:1");
    fails(&["--listen", "127.0.0.1:0", "--database", "sqlite:/proc/nowhere/t.sqlite"], "/proc/nowhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_authentication_it_may_be_reached_by_others() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("t.sqlite").display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_tellus"));
    command.args(["serve", "--listen", "0.0.0.0:0", "--auth", "--database", &url]).env("RUST_LOG", "error");
    let (mut server, greeting) = greeted(command.stdout(Stdio::piped()));
    let line = greeting.iter().find_map(|line| line.trim().strip_prefix("API")).unwrap();
    let port = line.trim().trim_end_matches("/v1").rsplit(':').next().unwrap().to_owned();
    let answered = reqwest::get(format!("http://127.0.0.1:{port}/v1/studies")).await;
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(answered.unwrap().status(), 401);
}

#[test]
fn a_schema_is_checked_before_anything_is_changed() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("t.sqlite").display());
    let migrate = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tellus"));
        let output = command.arg("migrate").args(arguments).args(["--database", &url]).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (is_current, said) = migrate(&["--check"]);
    assert!(!is_current && said.contains("version 0") && said.contains("tellus migrate"), "{said}");
    assert!(!migrate(&["--check"]).0, "a check changes nothing");
    assert!(migrate(&[]).0);
    let (is_current, said) = migrate(&["--check"]);
    assert!(is_current && said.contains("up to date"), "{said}");
}

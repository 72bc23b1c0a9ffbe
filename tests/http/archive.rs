//! Exports and imports: what leaves a database of one kind comes into one of the other as it was, and a file that is
//! not whole changes nothing.

use serde_json::{Value as Json, json};

use crate::server::{Server, plane};
use crate::user::{User, guarded, tellus};

on_both_databases!(
    a_database_comes_into_another_as_it_was,
    what_is_not_whole_or_there_already_is_refused,
    the_command_line_moves_everything,
    backups_are_restored,
);

const LINES: &str = "application/x-ndjson";

/// A study with trials in every state but expired, and a study through a network.
async fn lived(server: &Server) -> [String; 2] {
    let mut definition = plane("lived", "auto");
    definition["metadata"] = json!({"owner": "ada"});
    definition["budget"] = json!({"trials": 100});
    let study = server.study(definition).await;
    assert_eq!(server.post(&format!("{study}/ask"), json!({"count": 10, "worker": "w"})).await.0, 200);
    for number in 0..6 {
        let told = json!({"metrics": {"loss": {"value": 0.1 + 0.3 * f64::from(number), "sem": 0.01}}});
        assert_eq!(server.post(&format!("{study}/trials/{number}/tell"), told).await.0, 200);
    }
    for (number, told) in [
        (6, json!({"failed": "out of memory"})),
        (7, json!({"stopped": true})),
        (8, json!({"abandoned": "pre-empted"})),
        (0, json!({"metrics": {"loss": 0.7}, "amend": true})),
    ] {
        assert_eq!(server.post(&format!("{study}/trials/{number}/tell"), told).await.0, 200);
    }
    let measured = json!({"step": 3, "metrics": {"loss": 1.5}});
    assert_eq!(server.post(&format!("{study}/trials/9/measurements"), measured).await.0, 200);
    let attached = json!({"trials": [
        {"parameters": {"x": 0.25, "y": 2.0}},
        {"parameters": {"x": 7.0, "y": 2.0}, "metrics": {"loss": 1.0}, "outside": true, "ended_at": "2020-01-01T00:00:00Z"},
        {"parameters": {"x": 0.25, "y": 2.0}, "metrics": {"loss": 1e-300}},
    ]});
    assert_eq!(server.post(&format!("{study}/trials"), attached).await.0, 201);
    let noted = json!({"note": "\u{e4} \u{1f9ea}", "tags": ["odd"], "metadata": {"a": [1, null, "b"]}});
    assert_eq!(server.patch(&format!("{study}/trials/1"), noted).await.0, 200);

    let file = std::fs::read("tests/fixtures/networks/mlp_relu.onnx").unwrap();
    let upload =
        server.client.post(format!("{}/v1/networks?name=n", server.url)).body(file).send().await.unwrap();
    assert_eq!(upload.status(), 201);
    let network: Json = upload.json().await.unwrap();
    let inputs = network["inputs"][0]["shape"].as_array().unwrap().last().unwrap().as_u64().unwrap();
    let outputs = network["outputs"][0]["shape"].as_array().unwrap().last().unwrap().as_u64().unwrap();
    let parameters: Vec<Json> = (0..inputs)
        .map(|i| json!({"name": format!("x{i}"), "type": "float", "low": -1, "high": 1}))
        .collect();
    let through = server
        .study(json!({
            "name": "through", "seed": 2, "parameters": parameters,
            "metrics": [{"name": "loss", "goal": "minimize"}],
            "network": {
                "phi": network["id"], "goal": {"linear": vec![1.0; outputs as usize]}, "evaluate": "server",
            },
        }))
        .await;
    [study, through]
}

/// Everything that is to be read of some studies.
async fn all_of(user: &User, studies: &[String]) -> Vec<Json> {
    let mut read = Vec::new();
    for study in studies {
        for part in ["", "/trials", "/best", "/history", "/insights"] {
            read.push(user.get(&format!("{study}{part}")).await.is(200).body);
        }
        let events = user.request("GET", &format!("{study}/events?limit=1000"));
        read.push(user.send(events.header("accept", "application/json")).await.is(200).body);
    }
    read.push(user.get("/v1/studies").await.is(200).body);
    read.push(user.get("/v1/networks").await.is(200).body);
    read
}

async fn exported(user: &User, query: &str) -> String {
    let response = user.request("GET", &format!("/v1/export{query}")).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()),
        (200, LINES)
    );
    response.text().await.unwrap()
}

/// The lines that do not depend on when they were written.
fn lines_of(file: &str) -> Vec<Json> {
    let lines = file.lines().filter(|line| !line.contains("made_at") && !line.contains("sha256"));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn import(user: &User, query: &str, lines: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
    user.request("POST", &format!("/v1/import{query}")).header("content-type", LINES).body(lines)
}

async fn a_database_comes_into_another_as_it_was(database: String, other: String) {
    let one = Server::start(&database).await;
    let studies = lived(&one).await;
    let here = User::new(&one, None);
    let file = exported(&here, "").await;
    let two = Server::start(&other).await;
    let there = User::new(&two, None);
    let imported = there.send(import(&there, "", file.clone())).await.is(200).body;
    assert_eq!(imported, json!({"projects": 0, "networks": 1, "studies": 2, "trials": 13, "skipped": 0}));
    assert_eq!(all_of(&here, &studies).await, all_of(&there, &studies).await);
    // The same lines but for when they were written, and the digests of that.
    assert_eq!(lines_of(&file), lines_of(&exported(&there, "").await));
    // Life goes on as it would have: the same queued trial, then the same suggestion.
    for _ in 0..2 {
        let path = format!("{}/ask", studies[0]);
        let asked = [&here, &there].map(|user| user.post(&path, json!({"count": 2})));
        let [one, two] = futures_util::future::join_all(asked).await.try_into().unwrap();
        let points = [one.is(200), two.is(200)].map(|asked| {
            let trials = asked.body["trials"].as_array().unwrap().clone();
            trials
                .iter()
                .map(|trial| (trial["number"].clone(), trial["parameters"].clone()))
                .collect::<Vec<_>>()
        });
        assert_eq!(points[0], points[1]);
    }
    // A worker that held a trial goes on with it there.
    let token = here.get(&format!("{}/trials/9", studies[0])).await.body["lease_token"].clone();
    let told = json!({"metrics": {"loss": 3.0}, "lease_token": token});
    there.post(&format!("{}/trials/9/tell", studies[0]), told).await.is(200);
    // And the network serves.
    there.post(&format!("{}/solve", studies[1]), json!({"evaluations": 3})).await.is(202);

    let single = exported(&here, &format!("?study={}", &studies[1][12..])).await;
    let kinds: Vec<String> = single
        .lines()
        .map(|line| {
            let line: Json = serde_json::from_str(line).unwrap();
            line.as_object().unwrap().keys().next().unwrap().clone()
        })
        .collect();
    assert_eq!(kinds[..4], ["archive", "project", "network", "study"]);
    assert_eq!(kinds.last().map(String::as_str), Some("end"));
    here.get("/v1/export?study=01a20b6e-4f0c-7d10-9c3b-6a5f1de2c881").await.is(404);
    here.get("/v1/export?project=elsewhere").await.is(404);
}

async fn what_is_not_whole_or_there_already_is_refused(database: String, other: String) {
    let one = Server::start(&database).await;
    let studies = lived(&one).await;
    let here = User::new(&one, None);
    let file = exported(&here, "").await;
    let two = Server::start(&other).await;
    let there = User::new(&two, None);
    let lines: Vec<&str> = file.split_inclusive('\n').collect();
    let without = |k: usize| {
        lines.iter().enumerate().filter(|(i, _)| *i != k).map(|(_, line)| *line).collect::<String>()
    };
    let changed = file.replace("0.7", "0.8");
    assert_ne!(changed, file);
    let mut refused = vec![
        (String::new(), "cut"),
        (file[..file.len() / 2].to_owned(), ""),
        (lines[..lines.len() - 1].concat(), "cut"),
        (without(0), "does not begin"),
        (without(lines.len() / 2), ""),
        (changed, "SHA-256"),
        (format!("{file}{file}"), "behind the end"),
        (file.replacen("\"version\":1", "\"version\":2", 1), "version 2"),
        (file.replacen("\"project\"", "\"tokens\"", 1), "unknown variant"),
        ("not JSON\n".to_owned(), ""),
        (lines[0].repeat(2), "belongs"),
    ];
    let swapped = lines.iter().position(|line| line.starts_with("{\"trial\"")).unwrap();
    let mut other_order = lines.clone();
    other_order.swap(swapped, swapped + 1);
    refused.push((other_order.concat(), "belongs"));
    for (file, says) in refused {
        let answer = there.send(import(&there, "", file.clone())).await;
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        assert_eq!(answer.status, 422, "{says}: {}", answer.body);
        assert!(detail.contains(says), "{says}: {detail}");
        assert!(answer.body["errors"][0]["pointer"].as_str().unwrap().starts_with('/'));
        assert_eq!(there.get("/v1/studies").await.body["studies"], json!([]), "{says}");
        assert_eq!(there.get("/v1/networks").await.body["networks"], json!([]), "{says}");
    }
    let request =
        there.request("POST", "/v1/import").header("content-type", "application/json").body(file.clone());
    there.send(request).await.is(415);
    there.send(import(&there, "?existing=replace", file.clone())).await.is(422);

    assert_eq!(here.send(import(&here, "", file.clone())).await.is(409).cause(), "study-there");
    let skipped = here.send(import(&here, "?existing=skip", file.clone())).await.is(200).body;
    assert_eq!(skipped, json!({"projects": 0, "networks": 0, "studies": 0, "trials": 0, "skipped": 2}));
    // Another study has the name of one that comes: that one is refused, whole.
    two.study(plane("lived", "random")).await;
    assert_eq!(there.send(import(&there, "", file.clone())).await.is(409).cause(), "name-taken");
    there.get(&studies[0]).await.is(404);
}

async fn the_command_line_moves_everything(database: String, other: String) {
    let (server, admin) = guarded(&database).await;
    admin.post("/v1/projects", json!({"name": "a", "quotas": {"studies": 7}})).await.is(201);
    let ada = admin.make(&server, "ada", json!({"a": "owner"})).await;
    for (user, name) in [(&ada, "one"), (&admin, "two")] {
        let made = user.post("/v1/studies", plane(name, "space_filling")).await.is(201).body;
        let path = format!("/v1/studies/{}", made["id"].as_str().unwrap());
        user.post(&format!("{path}/ask"), json!({"count": 300 - 44})).await.is(200);
        user.post(&format!("{path}/trials/1/tell"), json!({"metrics": {"loss": 1.0}})).await.is(200);
    }
    // An owner's file holds the projects that are theirs, and goes no further than they.
    let of_ada = exported(&ada, "").await;
    assert!(of_ada.contains("\"name\":\"one\"") && !of_ada.contains("\"name\":\"two\""));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("all.ndjson");
    let file = file.to_str().unwrap();
    tellus(&database, &["export", "--output", file]);
    tellus(&other, &["import", file]);
    let again = tellus(&other, &["export"]);
    assert_eq!(lines_of(&std::fs::read_to_string(file).unwrap()), lines_of(&again));
    // Tokens do not come along; the log says who brought the rest.
    let (_moved, root) = guarded(&other).await;
    assert_eq!(root.get("/v1/projects/a").await.is(200).body["quotas"]["studies"], 7);
    let log = root.get("/v1/audit?action=import_studies").await.is(200).body;
    assert_eq!(log["entries"].as_array().map(Vec::len), Some(2), "{log}");
    assert_eq!(log["entries"][0]["who"], "tellus import");
    assert_eq!(root.get("/v1/tokens").await.is(200).body["tokens"].as_array().map(Vec::len), Some(1));
}

/// The backups that the page on operating a server names, each taken while the server works, and restored.
async fn backups_are_restored(database: String, _: String) {
    let server = Server::start(&database).await;
    let studies = lived(&server).await;
    let here = User::new(&server, None);
    let before = all_of(&here, &studies).await;
    let directory = tempfile::tempdir().unwrap();
    let run = |command: &mut std::process::Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let restored = if let Some(file) = database.strip_prefix("sqlite:") {
        let copy = directory.path().join("copy.sqlite");
        // What `.backup` of the sqlite3 program does, by a statement.
        crate::user::execute(&format!("sqlite:{file}"), &format!("VACUUM INTO '{}'", copy.display())).await;
        format!("sqlite:{}", copy.display())
    } else {
        let dump = directory.path().join("tellus.dump");
        let schema = database.rsplit('=').next().unwrap().to_owned();
        let server = database.split(['&', '?']).next().unwrap().to_owned();
        let host = database.split("host=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        let plain = format!("{server}?host={host}");
        run(crate::postgres::program("pg_dump")
            .args(["--format=custom", "--schema", &schema, "--file"])
            .arg(&dump)
            .args(["--dbname", &plain]));
        crate::user::execute(&plain, &format!("ALTER SCHEMA {schema} RENAME TO {schema}_lost")).await;
        run(crate::postgres::program("pg_restore").arg("--dbname").arg(&plain).arg(&dump));
        database.clone()
    };
    drop(server);
    let server = Server::start(&restored).await;
    let there = User::new(&server, None);
    assert_eq!(before, all_of(&there, &studies).await);
    there.post(&format!("{}/ask", studies[0]), json!({})).await.is(200);
}

//! Who may do what: tokens, roles, and the walls between projects.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::server::plane;
use crate::user::{User, guarded, tellus, two_projects};

on_both_databases!(
    a_token_is_shown_once_and_found_by_its_hash,
    tokens_end,
    roles_say_what_a_token_may_do,
    owners_give_tokens_of_their_projects_alone,
    no_route_leads_into_another_project,
    without_a_token_only_probes_are_answered,
    projects_are_made_by_admins,
    sessions_stand_for_a_token_on_the_servers_own_pages,
);

/// The path of a study that `user` makes.
async fn study(user: &User, name: &str) -> String {
    let made = user.post("/v1/studies", plane(name, "space_filling")).await.is(201);
    format!("/v1/studies/{}", made.body["id"].as_str().unwrap())
}

async fn a_token_is_shown_once_and_found_by_its_hash(database: String, _: String) {
    let (server, admin) = guarded(&database).await;
    let made =
        admin.post("/v1/tokens", json!({"name": "laptop", "roles": {"default": "viewer"}})).await.is(201);
    let secret = made.body["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("tellus_") && secret.len() > 60);
    let token = &made.body["token"];
    assert!(secret.starts_with(token["prefix"].as_str().unwrap()));
    assert_eq!(made.headers["location"], format!("/v1/tokens/{}", token["id"].as_str().unwrap()));
    let laptop = User::new(&server, Some(&secret));
    let own = laptop.get("/v1/tokens/self").await.is(200).body;
    assert_eq!((&own["name"], &own["roles"]), (&json!("laptop"), &json!({"default": "viewer"})));
    assert!(own["last_used_at"].is_string(), "{own}");
    let listed = admin.get("/v1/tokens").await.is(200).body;
    assert_eq!(listed["tokens"].as_array().map(Vec::len), Some(2), "{listed}");
    assert_eq!(listed["tokens"][1]["created_by"], "root");
    assert!(!listed.to_string().contains(&secret));
    assert!(!tellus(&database, &["token", "list"]).contains(&secret));
    let read = admin.get(&format!("/v1/tokens/{}", token["id"].as_str().unwrap())).await.is(200).body;
    assert!(!read.to_string().contains(&secret));
    // What is kept is no token.
    if let Some(file) = database.strip_prefix("sqlite:") {
        let mut kept = std::fs::read(file).unwrap();
        kept.extend(std::fs::read(format!("{file}-wal")).unwrap());
        let holds = |text: &str| kept.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(holds(token["prefix"].as_str().unwrap()) && !holds(&secret));
    }
    for wrong in ["tellus_", "secret", &secret[..secret.len() - 1], &secret.replace('_', "-")] {
        let refused = User::new(&server, Some(wrong)).get("/v1/studies").await.is(401);
        assert_eq!(
            (refused.cause(), &refused.headers["www-authenticate"]),
            ("unauthorized", &"Bearer".parse().unwrap())
        );
    }
    let other = format!("{}{}", &secret[..secret.len() - 1], if secret.ends_with('0') { '1' } else { '0' });
    User::new(&server, Some(&other)).get("/v1/studies").await.is(401);
}

async fn tokens_end(database: String, _: String) {
    let (server, admin) = guarded(&database).await;
    let soon = chrono::Utc::now() + chrono::TimeDelta::milliseconds(1500);
    let request = json!({"name": "short", "roles": {"default": "viewer"}, "expires_at": soon});
    let made = admin.post("/v1/tokens", request).await.is(201);
    let short = User::new(&server, made.body["secret"].as_str());
    short.get("/v1/studies").await.is(200);
    let deadline = Instant::now() + Duration::from_secs(20);
    while short.get("/v1/studies").await.status != 401 {
        assert!(Instant::now() < deadline, "it does not expire");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let late = json!({"name": "late", "roles": {"default": "viewer"}, "expires_at": "2020-01-01T00:00:00Z"});
    let refused = admin.post("/v1/tokens", late).await.is(422);
    assert_eq!(refused.body["errors"][0]["pointer"], "/expires_at");

    let made = admin.post("/v1/tokens", json!({"name": "lost", "roles": {"default": "owner"}})).await.is(201);
    let lost = User::new(&server, made.body["secret"].as_str());
    lost.get("/v1/studies").await.is(200);
    let id = made.body["token"]["id"].as_str().unwrap().to_owned();
    admin.delete(&format!("/v1/tokens/{id}")).await.is(204);
    lost.get("/v1/studies").await.is(401);
    let revoked = admin.get(&format!("/v1/tokens/{id}")).await.is(200).body;
    assert!(revoked["revoked_at"].is_string(), "{revoked}");
    // Through the database, as another server would.
    let again = admin.make(&server, "again", json!({"default": "viewer"})).await;
    let id = again.get("/v1/tokens/self").await.is(200).body["id"].as_str().unwrap().to_owned();
    tellus(&database, &["token", "revoke", &id]);
    while again.get("/v1/studies").await.status != 401 {
        assert!(Instant::now() < deadline + Duration::from_secs(20), "it is not refused");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn roles_say_what_a_token_may_do(database: String, _: String) {
    let (server, _, [ada, _]) = two_projects(&database).await;
    let viewer = ada.make(&server, "vera", json!({"a": "viewer"})).await;
    let experimenter = ada.make(&server, "emil", json!({"a": "experimenter"})).await;
    // Whoever has a role in one project need not name it.
    let path = study(&experimenter, "one").await;
    assert_eq!(viewer.get(&path).await.is(200).body["project"], "a");
    experimenter.post(&format!("{path}/ask"), json!({})).await.is(200);
    let told = json!({"metrics": {"loss": 1.0}});
    for (method, path, body) in [
        ("POST", "/v1/studies".to_owned(), plane("two", "random")),
        ("PATCH", path.clone(), json!({"state": "paused"})),
        ("DELETE", path.clone(), json!({})),
        ("POST", format!("{path}/ask"), json!({})),
        ("POST", format!("{path}/trials/0/tell"), told.clone()),
        ("POST", format!("{path}/trials/0/heartbeat"), json!({})),
        ("POST", format!("{path}/trials/0/measurements"), json!({"step": 1, "metrics": {"loss": 1.0}})),
        ("POST", format!("{path}/trials"), json!({"trials": []})),
        ("PATCH", format!("{path}/trials/0"), json!({"note": "x"})),
        ("POST", format!("{path}/solve"), json!({"evaluations": 1})),
        ("POST", "/v1/networks?name=n".to_owned(), json!({})),
        ("POST", "/v1/tokens".to_owned(), json!({"name": "x", "roles": {"a": "viewer"}})),
        ("GET", "/v1/tokens".to_owned(), json!({})),
        ("GET", "/v1/audit".to_owned(), json!({})),
        ("GET", "/v1/export".to_owned(), json!({})),
        ("GET", format!("/v1/export?study={}", &path[12..]), json!({})),
        ("GET", "/metrics".to_owned(), json!({})),
        ("PATCH", "/v1/projects/a".to_owned(), json!({"quotas": {}})),
    ] {
        let refused = viewer.send(viewer.request(method, &path).json(&body)).await;
        assert_eq!(
            (refused.status, refused.cause()),
            (403, "forbidden"),
            "{method} {path}: {}",
            refused.body
        );
    }
    for read in ["", "/trials", "/trials/0", "/best", "/history", "/insights"] {
        viewer.get(&format!("{path}{read}")).await.is(200);
    }
    viewer.post(&format!("{path}/predict"), json!({"points": [{"x": 0.5, "y": 1.0}]})).await.is(200);
    viewer.post("/v1/studies/check", plane("three", "random")).await.is(200);
    experimenter.post(&format!("{path}/trials/0/tell"), told).await.is(200);
    experimenter.delete(&path).await.is(403);
    ada.delete(&path).await.is(204);
}

async fn owners_give_tokens_of_their_projects_alone(database: String, _: String) {
    let (server, admin, [ada, bob]) = two_projects(&database).await;
    let asked = |roles: Json| json!({"name": "x", "roles": roles});
    let refused = ada.post("/v1/tokens", asked(json!({"b": "viewer"}))).await.is(404);
    assert_eq!(refused.body["detail"], ada.get("/v1/projects/b").await.is(404).body["detail"]);
    ada.post("/v1/tokens", asked(json!({"a": "viewer", "nowhere": "viewer"}))).await.is(404);
    ada.post("/v1/tokens", asked(json!({"*": "viewer"}))).await.is(403);
    ada.post("/v1/tokens", asked(json!({"*": "admin"}))).await.is(403);
    let refused = admin.post("/v1/tokens", asked(json!({"a": "admin", "b": "king"}))).await.is(422);
    assert_eq!(refused.body["errors"].as_array().map(Vec::len), Some(2), "{}", refused.body);
    admin.post("/v1/tokens", asked(json!({}))).await.is(422);

    // A token of both is seen by each owner, with the roles that are theirs to know of, and revoked by neither.
    let both = admin.make(&server, "both", json!({"a": "viewer", "b": "experimenter"})).await;
    let id = both.get("/v1/tokens/self").await.is(200).body["id"].as_str().unwrap().to_owned();
    let seen = ada.get(&format!("/v1/tokens/{id}")).await.is(200).body;
    assert_eq!(seen["roles"], json!({"a": "viewer"}));
    assert_eq!(
        bob.get(&format!("/v1/tokens/{id}")).await.is(200).body["roles"],
        json!({"b": "experimenter"})
    );
    ada.delete(&format!("/v1/tokens/{id}")).await.is(403);
    admin.delete(&format!("/v1/tokens/{id}")).await.is(204);
    let names = async |user: &User| -> Vec<String> {
        let listed = user.get("/v1/tokens").await.is(200).body;
        listed["tokens"]
            .as_array()
            .unwrap()
            .iter()
            .map(|token| token["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&ada).await, ["ada", "both"]);
    assert_eq!(names(&bob).await, ["bob", "both"]);
    let of_bob = bob.get("/v1/tokens/self").await.is(200).body["id"].as_str().unwrap().to_owned();
    ada.get(&format!("/v1/tokens/{of_bob}")).await.is(404);
    ada.delete(&format!("/v1/tokens/{of_bob}")).await.is(404);
    bob.get("/v1/tokens/self").await.is(200);
}

/// Every operation of the document that the server itself gives: method, path, and an example of a body.
async fn operations(user: &User) -> Vec<(String, String, Json)> {
    let document = user.get("/openapi.json").await.is(200).body;
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let example = operation["requestBody"]["content"]["application/json"]["example"].clone();
            operations.push((method.to_uppercase(), path.clone(), example));
        }
    }
    operations
}

async fn no_route_leads_into_another_project(database: String, _: String) {
    let (_server, admin, [ada, bob]) = two_projects(&database).await;
    let path = study(&ada, "secret").await;
    ada.post(&format!("{path}/ask"), json!({})).await.is(200);
    let file = std::fs::read("tests/fixtures/networks/mlp_relu.onnx").unwrap();
    let network = ada.send(ada.request("POST", "/v1/networks?name=n").body(file.clone())).await.is(201).body;
    let own = ada.get("/v1/tokens/self").await.is(200).body;
    let exported = ada.request("GET", "/v1/export").send().await.unwrap().text().await.unwrap();
    let parts = [
        ("{study}", path[12..].to_owned()),
        ("{network}", network["id"].as_str().unwrap().to_owned()),
        ("{project}", "a".to_owned()),
        ("{token}", own["id"].as_str().unwrap().to_owned()),
        ("{number}", "0".to_owned()),
    ];
    let mut tried = 0;
    for (method, template, example) in operations(&bob).await {
        if !template.contains('{') {
            continue;
        }
        let path = parts.iter().fold(template.clone(), |path, (part, id)| path.replace(part, id));
        assert!(!path.contains('{'), "the test does not know {template}");
        let request = bob.request(&method, &path);
        let request = if example.is_null() { request } else { request.json(&example) };
        let refused = bob.send(request).await;
        assert_eq!(
            (refused.status, refused.cause()),
            (404, "not-found"),
            "{method} {path}: {}",
            refused.body
        );
        // A body that is none does not show either that something is there.
        let request = bob.request(&method, &path).header("content-type", "application/json").body("{");
        assert_eq!(bob.send(request).await.status, 404, "{method} {path}");
        // What is not there is answered in the same words.
        let nothing = path.replace(&parts[0].1, "01a20b6e-4f0c-7d10-9c3b-6a5f1de2c881");
        if nothing != path {
            let missing = bob.get(&nothing).await;
            let shown = bob.get(&path).await;
            if missing.status == 404 {
                let words = |answered: &crate::user::Answered, id: &str| {
                    answered.body["detail"].as_str().unwrap().replace(id, "it")
                };
                let other = "01a20b6e-4f0c-7d10-9c3b-6a5f1de2c881";
                assert_eq!(words(&shown, &parts[0].1), words(&missing, other), "{path}");
            }
        }
        tried += 1;
    }
    assert!(tried >= 25, "{tried} operations");

    // Routes without an id, by what they are given.
    let mut named = plane("other", "random");
    named["project"] = json!("a");
    bob.post("/v1/studies", named.clone()).await.is(404);
    bob.post("/v1/studies/check", named).await.is(404);
    bob.send(bob.request("POST", "/v1/networks?name=n&project=a").body(file)).await.is(404);
    for path in [
        "/v1/audit?project=a".to_owned(),
        "/v1/tokens?project=a".to_owned(),
        "/v1/export?project=a".to_owned(),
        format!("/v1/export?study={}", parts[0].1),
    ] {
        bob.get(&path).await.is(404);
    }
    let import =
        bob.request("POST", "/v1/import").header("content-type", "application/x-ndjson").body(exported);
    bob.send(import).await.is(404);
    for (list, field) in [("/v1/studies", "studies"), ("/v1/networks", "networks")] {
        for query in ["", "?project=a"] {
            let listed = bob.get(&format!("{list}{query}")).await.is(200).body;
            assert_eq!(listed[field], json!([]), "{list}{query}");
        }
        assert_eq!(ada.get(list).await.is(200).body[field].as_array().map(Vec::len), Some(1));
    }
    assert_eq!(bob.get("/v1/projects").await.is(200).body["projects"].as_array().map(Vec::len), Some(1));
    let audited = bob.get("/v1/audit").await.is(200).body;
    let entries = audited["entries"].as_array().unwrap();
    assert!(entries.iter().all(|entry| entry["project"] == "b"), "{audited}");
    // A network of another project is none, even while it is in memory.
    let mut through = plane("through", "auto");
    through["network"] = json!({"phi": parts[1].1, "goal": {"linear": [1.0]}, "evaluate": "client"});
    let refused = bob.post("/v1/studies", through).await.is(422);
    assert!(refused.body["detail"].as_str().unwrap().contains("there is no network"), "{}", refused.body);
    // Nothing of all this changed anything.
    assert_eq!(ada.get(&path).await.is(200).body["trial_counts"]["running"], 1);
    ada.get(&format!("/v1/networks/{}", parts[1].1)).await.is(200);
    admin.get("/v1/projects/a").await.is(200);
}

async fn without_a_token_only_probes_are_answered(database: String, _: String) {
    let (server, _) = guarded(&database).await;
    let nobody = User::new(&server, None);
    let mut refused = 0;
    for (method, template, example) in operations(&nobody).await {
        let id = "01a20b6e-4f0c-7d10-9c3b-6a5f1de2c881";
        let path = template.replace("{number}", "0").replace("{project}", "default");
        let path = ["{study}", "{network}", "{token}"].iter().fold(path, |path, part| path.replace(part, id));
        let request = nobody.request(&method, &path);
        let request = if example.is_null() { request } else { request.json(&example) };
        let answered = nobody.send(request).await;
        match (method.as_str(), template.as_str()) {
            ("GET", "/healthz" | "/readyz" | "/v1/session") => assert_eq!(answered.status, 200, "{template}"),
            ("POST", "/v1/session") => assert_eq!(answered.status, 400, "{template}"),
            _ => {
                assert_eq!((answered.status, answered.cause()), (401, "unauthorized"), "{method} {template}");
                refused += 1;
            }
        }
    }
    assert!(refused >= 35, "{refused} operations");
    // Files that tell nothing of anybody.
    for path in ["/", "/assets/app.js", "/openapi.json"] {
        assert_eq!(nobody.request("GET", path).send().await.unwrap().status(), 200, "{path}");
    }
}

async fn projects_are_made_by_admins(database: String, _: String) {
    let (_server, admin, [ada, _]) = two_projects(&database).await;
    ada.post("/v1/projects", json!({"name": "c"})).await.is(403);
    assert_eq!(admin.post("/v1/projects", json!({"name": "a"})).await.is(409).cause(), "project-taken");
    for name in ["", "*", "a b", "é", &"n".repeat(101)] {
        let refused = admin.post("/v1/projects", json!({"name": name})).await.is(422);
        assert_eq!(refused.body["errors"][0]["pointer"], "/name");
    }
    let made = admin.post("/v1/projects", json!({"name": "c", "quotas": {"studies": 2}})).await.is(201);
    assert_eq!(made.headers["location"], "/v1/projects/c");
    assert_eq!((&made.body["quotas"]["studies"], &made.body["role"]), (&json!(2), &json!("admin")));
    let mut in_c = plane("one", "random");
    in_c["project"] = json!("c");
    let made = admin.post("/v1/studies", in_c).await.is(201).body;
    assert_eq!(admin.delete("/v1/projects/c").await.is(409).cause(), "project-in-use");
    admin.delete(&format!("/v1/studies/{}", made["id"].as_str().unwrap())).await.is(204);
    admin.delete("/v1/projects/c").await.is(204);
    admin.get("/v1/projects/c").await.is(404);
    assert_eq!(admin.delete("/v1/projects/default").await.is(409).cause(), "project-in-use");
    let page = admin.get("/v1/projects?limit=2").await.is(200).body;
    let next = page["next_cursor"].as_str().unwrap();
    let rest = admin.get(&format!("/v1/projects?limit=2&cursor={next}")).await.is(200).body;
    let names = [&page, &rest].map(|page| {
        page["projects"].as_array().unwrap().iter().map(|project| project["name"].clone()).collect::<Vec<_>>()
    });
    assert_eq!(json!(names.concat()), json!(["a", "b", "default"]));
}

async fn sessions_stand_for_a_token_on_the_servers_own_pages(database: String, _: String) {
    let (server, admin, [ada, _]) = two_projects(&database).await;
    let nobody = User::new(&server, None);
    let login = |site: &'static str| {
        let request = nobody.request("POST", "/v1/session").header("sec-fetch-site", site);
        request.json(&json!({"token": ada.token}))
    };
    nobody.send(login("cross-site")).await.is(403);
    let wrong = nobody.request("POST", "/v1/session").header("sec-fetch-site", "same-origin");
    nobody.send(wrong.json(&json!({"token": "tellus_no"}))).await.is(401);
    let begun = nobody.send(login("same-origin")).await.is(200);
    assert_eq!(begun.body["name"], "ada");
    let set = begun.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(set.contains("; HttpOnly; SameSite=Strict; Path=/; Max-Age=43200"), "{set}");
    let cookie = set.split(';').next().unwrap().to_owned();
    assert!(!cookie.contains(ada.token.as_deref().unwrap()));
    let with = |method: &str, path: &str| nobody.request(method, path).header("cookie", &cookie);
    assert_eq!(nobody.send(with("GET", "/v1/projects")).await.is(200).body["projects"][0]["name"], "a");
    // What changes something comes from the server's own pages.
    let made =
        |site: &str| with("POST", "/v1/studies").header("sec-fetch-site", site).json(&plane("s", "random"));
    nobody.send(with("POST", "/v1/studies").json(&plane("s", "random"))).await.is(403);
    nobody.send(made("cross-site")).await.is(403);
    nobody.send(made("same-origin")).await.is(201);
    let log = ada.get("/v1/audit?action=create_study").await.is(200).body;
    let own = ada.get("/v1/tokens/self").await.is(200).body;
    assert_eq!((&log["entries"][0]["who"], &log["entries"][0]["token"]), (&json!("ada"), &own["id"]));
    // A session begins no session, is no entry of the list, and ends when it is told to or its token does.
    let session = cookie.split_once('=').unwrap().1;
    let again = nobody.request("POST", "/v1/session").header("sec-fetch-site", "same-origin");
    nobody.send(again.json(&json!({"token": session}))).await.is(403);
    assert_eq!(ada.get("/v1/tokens").await.is(200).body["tokens"].as_array().map(Vec::len), Some(1));
    ada.delete("/v1/session").await.is(404);
    let ended =
        nobody.send(with("DELETE", "/v1/session").header("sec-fetch-site", "same-origin")).await.is(204);
    assert!(ended.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    nobody.send(with("GET", "/v1/projects")).await.is(401);
    let begun = nobody.send(login("same-origin")).await.is(200);
    let cookie = begun.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let with = |path: &str| nobody.request("GET", path).header("cookie", &cookie);
    nobody.send(with("/v1/projects")).await.is(200);
    admin.delete(&format!("/v1/tokens/{}", own["id"].as_str().unwrap())).await.is(204);
    nobody.send(with("/v1/projects")).await.is(401);
}

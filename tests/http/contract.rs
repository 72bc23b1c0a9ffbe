//! The HTTP contract, tried as a client would on the real program: the same suite on SQLite and on Postgres.

use crate::server::{Server, plane};
use serde_json::{Value as Json, json};

on_both_stores!(
    a_study_is_created_once,
    algorithms_are_listed_chosen_and_set,
    trials_are_asked_and_told,
    outcomes_are_kept_amended_and_refused,
    points_are_attached_and_queued,
    a_key_is_answered_once,
    leases_end_and_are_taken_up_again,
    measurements_tell_when_to_stop,
    budgets_and_states_end_asks,
    the_best_is_feasible,
    models_predict_and_show_what_they_are_made_of,
    few_of_many_parameters_are_found_by_the_sparse_prior,
    eight_workers_get_different_points,
    events_tell_every_change,
    studies_and_trials_are_listed_in_pages,
);

async fn a_study_is_created_once(server: Server) {
    let (status, study) = server.post("/v1/studies", plane("a", "auto")).await;
    assert_eq!(status, 201, "{study}");
    assert_eq!(study["default_lease_seconds"], 86_400);
    let (status, again) = server.post("/v1/studies", plane("a", "auto")).await;
    assert_eq!((status, &again["id"]), (200, &study["id"]));
    let (status, other) = server.post("/v1/studies", plane("a", "random")).await;
    assert_eq!((status, other["type"].as_str()), (409, Some("urn:tellus:problem:name-taken")));
    let path = format!("/v1/studies/{}", study["id"].as_str().unwrap());
    let change = json!({"state": "paused", "metadata": {"owner": "ada"}, "budget": {"trials": 9}});
    let (status, changed) = server.patch(&path, change).await;
    assert_eq!((status, changed["state"].as_str()), (200, Some("paused")), "{changed}");
    assert_eq!(changed["revision"], 2);
    // Its definition is what it was created with: the same request still finds it.
    assert_eq!(server.post("/v1/studies", plane("a", "auto")).await.0, 200);
    let deleted = server.client.delete(format!("{}{path}", server.url)).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    assert_eq!(server.get(&path).await.0, 404);
}

async fn algorithms_are_listed_chosen_and_set(server: Server) {
    let (status, listed) = server.get("/v1/algorithms").await;
    let algorithms = listed["algorithms"].as_array().unwrap();
    let named = |name: &str| algorithms.iter().find(|algorithm| algorithm["name"] == name).unwrap();
    assert_eq!((status, &named("auto")["settings"]), (200, &json!([])));
    let setting = &named("noisy_expected_improvement")["settings"][0];
    assert_eq!(
        (&setting["type"], &setting["name"], &setting["low"]),
        (&json!("integer"), &json!("samples"), &json!(1))
    );
    let with = |name: &str, acquisition: &str, settings: Json| {
        let mut study = plane(name, acquisition);
        study["algorithm"]["settings"] = settings;
        study["algorithm"]["initial_trials"] = json!(3);
        study
    };
    let study = server.study(with("set", "noisy_expected_improvement", json!({"samples": 16}))).await;
    assert_eq!(server.get(&study).await.1["algorithm"]["settings"], json!({"samples": 16}));
    for number in 0..5 {
        let (status, asked) = server.post(&format!("{study}/ask"), json!({})).await;
        assert_eq!(status, 200, "{asked}");
        let origin = if number < 3 { "initial_design" } else { "noisy_expected_improvement" };
        assert_eq!(asked["trials"][0]["origin"], origin);
        let told = json!({"metrics": {"loss": asked["trials"][0]["parameters"]["x"]}});
        assert_eq!(server.post(&format!("{study}/trials/{number}/tell"), told).await.0, 200);
    }
    for (acquisition, settings, pointer) in [
        ("annealing", json!({}), "/algorithm/acquisition"),
        ("noisy_expected_improvement", json!({"samples": 0}), "/algorithm/settings/samples"),
        ("auto", json!({"samples": 8}), "/algorithm/settings/samples"),
    ] {
        let (status, refused) = server.post("/v1/studies", with("bad", acquisition, settings)).await;
        assert_eq!((status, refused["errors"][0]["pointer"].as_str()), (422, Some(pointer)), "{refused}");
    }
}

async fn trials_are_asked_and_told(server: Server) {
    let study = server.study(plane("a", "auto")).await;
    for number in 0..8 {
        let (status, asked) = server.post(&format!("{study}/ask"), json!({"worker": "w"})).await;
        assert_eq!(status, 200, "{asked}");
        let trial = &asked["trials"][0];
        assert_eq!((&trial["number"], trial["state"].as_str()), (&json!(number), Some("running")));
        let x = trial["parameters"]["x"].as_f64().unwrap();
        let tell = format!("{study}/trials/{number}/tell");
        let (status, told) = server.post(&tell, json!({"metrics": {"loss": x}})).await;
        assert_eq!((status, told["state"].as_str()), (200, Some("completed")), "{told}");
        assert_eq!(told["metrics"]["loss"]["value"].as_f64(), Some(x), "floats come back exactly");
    }
    let (_, last) = server.get(&format!("{study}/trials/7")).await;
    assert_eq!(last["origin"], "log_expected_improvement");
    let (_, record) = server.get(&study).await;
    assert_eq!((&record["trial_counts"]["completed"], &record["revision"]), (&json!(8), &json!(17)));
    let (status, batch) = server.post(&format!("{study}/ask"), json!({"count": 4})).await;
    assert_eq!((status, batch["trials"].as_array().map(Vec::len)), (200, Some(4)));
    // A body is optional.
    let empty = server.client.post(format!("{}{study}/ask", server.url)).send().await.unwrap();
    assert_eq!(empty.status(), 200);
}

async fn outcomes_are_kept_amended_and_refused(server: Server) {
    let study = server.study(plane("a", "space_filling")).await;
    server.post(&format!("{study}/ask"), json!({"count": 4})).await;
    let tell = |number: u64, body: Json| {
        let path = format!("{study}/trials/{number}/tell");
        let server = &server;
        async move { server.post(&path, body).await }
    };
    assert_eq!(tell(0, json!({"metrics": {"loss": 1}})).await.0, 200);
    assert_eq!(tell(0, json!({"metrics": {"loss": {"value": 1.0}}})).await.0, 200, "the same again");
    let (status, refused) = tell(0, json!({"failed": "oom"})).await;
    assert_eq!((status, refused["type"].as_str()), (409, Some("urn:tellus:problem:already-told")));
    let (status, amended) = tell(0, json!({"failed": "oom", "amend": true})).await;
    assert_eq!((status, amended["state"].as_str()), (200, Some("failed")), "{amended}");
    assert_eq!(amended["revisions"][0]["metrics"]["loss"]["value"], 1.0);
    assert_eq!(tell(1, json!({"stopped": true})).await.1["state"], "stopped");
    assert_eq!(tell(2, json!({"abandoned": "pre-empted"})).await.1["state"], "abandoned");
    assert_eq!(tell(99, json!({"stopped": true})).await.0, 404);
    let other = "00000000-0000-4000-8000-000000000000";
    let (status, lost) = tell(3, json!({"stopped": true, "lease_token": other})).await;
    assert_eq!((status, lost["type"].as_str()), (409, Some("urn:tellus:problem:lease-lost")));
    let (status, noted) =
        server.patch(&format!("{study}/trials/3"), json!({"note": "odd", "tags": ["a"]})).await;
    assert_eq!((status, noted["note"].as_str()), (200, Some("odd")), "{noted}");
}

async fn points_are_attached_and_queued(server: Server) {
    let study = server.study(plane("a", "space_filling")).await;
    let point = json!({"x": 0.5, "y": 1.0});
    let trials = json!({"trials": [
        {"parameters": point, "metrics": {"loss": 2.0}, "ended_at": "2020-01-01T00:00:00Z"},
        {"parameters": point, "failed": "boom"},
        {"parameters": {"x": 0.25, "y": 2.0}},
        {"parameters": {"x": 7.0, "y": 2.0}, "metrics": {"loss": 1.0}, "outside": true},
    ]});
    let (status, attached) = server.post(&format!("{study}/trials"), trials).await;
    assert_eq!((status, &attached["numbers"]), (201, &json!([0, 1, 2, 3])), "{attached}");
    let (_, second) = server.get(&format!("{study}/trials/1")).await;
    assert_eq!(second["replicate"], 1, "the same point again is its next replicate");
    let (_, asked) = server.post(&format!("{study}/ask"), json!({})).await;
    assert_eq!(
        (&asked["trials"][0]["number"], &asked["trials"][0]["parameters"]["x"]),
        (&json!(2), &json!(0.25))
    );
    // All or none.
    let trials = json!({"trials": [{"parameters": point}, {"parameters": {"x": 7.0, "y": 2.0}}]});
    let (status, refused) = server.post(&format!("{study}/trials"), trials).await;
    assert_eq!((status, refused["errors"][0]["pointer"].as_str()), (422, Some("/trials/1/parameters/x")));
    assert_eq!(server.get(&study).await.1["trial_counts"]["queued"], 0);
}

async fn a_key_is_answered_once(server: Server) {
    let study = server.study(plane("a", "space_filling")).await;
    let ask = |key: &str, body: Json| {
        let request = server.client.post(format!("{}{study}/ask", server.url));
        let request = request.header("idempotency-key", key).json(&body);
        async move {
            let response = request.send().await.unwrap();
            let replayed = response.headers().contains_key("idempotency-replayed");
            (response.status().as_u16(), replayed, response.text().await.unwrap())
        }
    };
    let first = ask("k1", json!({"count": 2})).await;
    let again = ask("k1", json!({"count": 2})).await;
    assert_eq!((first.0, first.1, again.0, again.1), (200, false, 200, true));
    assert_eq!(first.2, again.2);
    assert_eq!(ask("k1", json!({"count": 3})).await.0, 422);
    // A refusal is an answer too.
    let refused = ask("k2", json!({"count": 0})).await;
    let again = ask("k2", json!({"count": 0})).await;
    assert_eq!((refused.0, again.0, again.1), (422, 422, true));
    // Many at once with one key: one is done, the others see its answer or are asked to come back.
    let many = futures_util::future::join_all((0..8).map(|_| ask("k3", json!({})))).await;
    assert!(many.iter().all(|(status, _, _)| matches!(status, 200 | 409)), "{many:?}");
    assert_eq!(server.get(&study).await.1["trial_counts"]["running"], 3);
}

async fn leases_end_and_are_taken_up_again(server: Server) {
    let mut definition = plane("a", "space_filling");
    definition["retry_expired"] = json!(true);
    let study = server.study(definition).await;
    let (_, asked) = server.post(&format!("{study}/ask"), json!({"lease_seconds": 1, "worker": "w"})).await;
    let token = asked["trials"][0]["lease_token"].clone();
    let beat = format!("{study}/trials/0/heartbeat");
    let (status, answer) = server.post(&beat, json!({"lease_token": token})).await;
    assert_eq!((status, &answer["should_stop"]), (200, &json!(false)), "{answer}");
    let sticky = json!({"worker": "w", "sticky": true});
    let (_, same) = server.post(&format!("{study}/ask"), sticky).await;
    assert_eq!(same["trials"][0]["number"], 0);
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert_eq!(server.get(&format!("{study}/trials/0")).await.1["state"], "expired");
    assert_eq!(server.post(&beat, json!({})).await.0, 200, "its holder is still there");
    assert_eq!(server.get(&format!("{study}/trials/0")).await.1["state"], "running");
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    let (_, retried) = server.post(&format!("{study}/ask"), json!({"worker": "v"})).await;
    let retry = &retried["trials"][0];
    assert_eq!((&retry["number"], &retry["retry_of"]), (&json!(1), &json!(0)), "{retried}");
    assert_eq!(retry["parameters"], asked["trials"][0]["parameters"]);
    assert_eq!(server.post(&beat, json!({})).await.0, 409);
    server.post(&format!("{study}/trials/1/tell"), json!({"metrics": {"loss": 1}})).await;
    let (status, late) =
        server.post(&format!("{study}/trials/0/tell"), json!({"metrics": {"loss": 2}})).await;
    assert_eq!((status, &late["superseded"]), (200, &json!(true)), "{late}");
}

async fn budgets_and_states_end_asks(server: Server) {
    let mut definition = plane("a", "space_filling");
    definition["budget"] = json!({"trials": 3});
    let study = server.study(definition).await;
    let ask = format!("{study}/ask");
    let (_, asked) = server.post(&ask, json!({"count": 5})).await;
    assert_eq!(asked["trials"].as_array().map(Vec::len), Some(3));
    let (status, spent) = server.post(&ask, json!({})).await;
    assert_eq!((status, spent["type"].as_str()), (409, Some("urn:tellus:problem:budget-spent")));
    server.post(&format!("{study}/trials/1/tell"), json!({"abandoned": "x"})).await;
    assert_eq!(server.post(&ask, json!({})).await.0, 200, "an abandoned trial spends nothing");
    server.patch(&study, json!({"state": "completed"})).await;
    let (status, closed) = server.post(&ask, json!({})).await;
    assert_eq!((status, closed["type"].as_str()), (409, Some("urn:tellus:problem:study-not-active")));
    let (status, _) = server.post(&format!("{study}/trials/0/tell"), json!({"metrics": {"loss": 1}})).await;
    assert_eq!(status, 200, "tells are accepted in every state");
    let finite = json!({"name": "f", "metrics": [{"name": "f", "goal": "minimize"}],
        "parameters": [{"name": "a", "type": "int", "low": 1, "high": 3}]});
    let study = server.study(finite).await;
    let (_, all) = server.post(&format!("{study}/ask"), json!({"count": 9})).await;
    assert_eq!(all["trials"].as_array().map(Vec::len), Some(3));
    let (status, exhausted) = server.post(&format!("{study}/ask"), json!({})).await;
    assert_eq!((status, exhausted["type"].as_str()), (409, Some("urn:tellus:problem:space-exhausted")));
}

async fn the_best_is_feasible(server: Server) {
    let mut definition = plane("a", "auto");
    definition["metrics"] = json!([
        {"name": "gain", "goal": "maximize"}, {"name": "heat", "goal": "constrain", "upper": 1.0},
    ]);
    let study = server.study(definition).await;
    let (status, nothing) = server.get(&format!("{study}/best")).await;
    assert_eq!((status, &nothing["trials"], &nothing["recommended"]), (200, &json!([]), &Json::Null));
    assert!(nothing["reason"].is_string());
    let trials = json!({"trials": [
        {"parameters": {"x": 0.1, "y": 1.0}, "metrics": {"gain": 1.0, "heat": 0.5}},
        {"parameters": {"x": 0.9, "y": 1.0}, "metrics": {"gain": 9.0, "heat": 1.5}},
        {"parameters": {"x": 0.5, "y": 1.0}, "metrics": {"gain": 3.0, "heat": 0.9}},
        {"parameters": {"x": 0.6, "y": 1.0}, "metrics": {"gain": 4.0}},
    ]});
    server.post(&format!("{study}/trials"), trials).await;
    let (_, best) = server.get(&format!("{study}/best")).await;
    assert_eq!(best["trials"][0]["number"], 2, "{best}");
    assert!(best["recommended"]["predicted"]["gain"]["sd"].as_f64().unwrap() > 0.0);
}

async fn eight_workers_get_different_points(server: Server) {
    let study = server.study(plane("a", "auto")).await;
    let work = (0..8).map(|worker| {
        let (server, study) = (&server, &study);
        async move {
            let mut points = Vec::new();
            for _ in 0..6 {
                let body = json!({"worker": format!("w{worker}")});
                let (status, asked) = server.post(&format!("{study}/ask"), body).await;
                assert_eq!(status, 200, "{asked}");
                let trial = &asked["trials"][0];
                let loss = trial["parameters"]["x"].as_f64().unwrap().powi(2);
                let tell = format!("{study}/trials/{}/tell", trial["number"]);
                let (status, told) = server.post(&tell, json!({"metrics": {"loss": loss}})).await;
                assert_eq!(status, 200, "{told}");
                points.push(trial["parameters"].to_string());
            }
            points
        }
    });
    let mut points: Vec<String> = futures_util::future::join_all(work).await.concat();
    points.sort();
    points.dedup();
    assert_eq!(points.len(), 48);
}

async fn events_tell_every_change(server: Server) {
    let study = server.study(plane("a", "space_filling")).await;
    server.post(&format!("{study}/ask"), json!({"count": 2})).await;
    server.post(&format!("{study}/trials/1/tell"), json!({"metrics": {"loss": 1}})).await;
    let request = server.client.get(format!("{}{study}/events?after=1", server.url));
    let page: Json = request.header("accept", "application/json").send().await.unwrap().json().await.unwrap();
    let kinds: Vec<&str> =
        page["events"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["trial_created", "trial_created", "trial_told"]);
    assert_eq!(page["next_after"], 4);
    // The stream resumes behind the last event seen, and goes on with what comes.
    let request = server.client.get(format!("{}{study}/events", server.url)).header("last-event-id", "3");
    let mut stream = request.send().await.unwrap();
    let mut seen = String::new();
    let mut told = false;
    while !(seen.contains("id: 4\n") && seen.contains("id: 5\n")) {
        let chunk = tokio::time::timeout(std::time::Duration::from_secs(10), stream.chunk()).await;
        seen.push_str(std::str::from_utf8(&chunk.unwrap().unwrap().unwrap()).unwrap());
        if !told {
            server.post(&format!("{study}/trials/0/tell"), json!({"stopped": true})).await;
            told = true;
        }
    }
    assert!(!seen.contains("id: 3\n"), "{seen}");
}

async fn studies_and_trials_are_listed_in_pages(server: Server) {
    for name in ["one", "two", "three"] {
        server.study(plane(name, "space_filling")).await;
    }
    let (_, first) = server.get("/v1/studies?limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let (_, rest) = server.get(&format!("/v1/studies?limit=2&cursor={cursor}")).await;
    assert_eq!((&first["studies"][0]["name"], &rest["studies"][0]["name"]), (&json!("one"), &json!("three")));
    assert_eq!(rest["next_cursor"], Json::Null);
    let (_, found) = server.get("/v1/studies?search=HRE").await;
    assert_eq!(found["studies"].as_array().map(Vec::len), Some(1));
    let study = format!("/v1/studies/{}", found["studies"][0]["id"].as_str().unwrap());
    server.post(&format!("{study}/ask"), json!({"count": 5})).await;
    let (_, page) = server.get(&format!("{study}/trials?limit=2&order=desc")).await;
    assert_eq!((&page["trials"][0]["number"], &page["next_cursor"]), (&json!(4), &json!("3")));
    let (_, page) = server.get(&format!("{study}/trials?state=completed")).await;
    assert_eq!(page["trials"], json!([]));
    assert_eq!(server.get("/v1/studies?limit=0").await.0, 422);
    assert_eq!(server.get("/v1/studies?colour=red").await.0, 400);
}

async fn measurements_tell_when_to_stop(server: Server) {
    let (_, study) = server.post("/v1/studies", plane("a", "space_filling")).await;
    let study = format!("/v1/studies/{}", study["id"].as_str().unwrap());
    let measure = async |number: u64, step: u64, value: f64| {
        let path = format!("{study}/trials/{number}/measurements");
        let (status, answer) = server.post(&path, json!({"step": step, "metrics": {"loss": value}})).await;
        assert_eq!(status, 200, "{answer}");
        answer["should_stop"].as_bool().unwrap()
    };
    // Six trials, each better than the one before, whose losses fall by the same share from step to step.
    for number in 0..6_u64 {
        server.post(&format!("{study}/ask"), json!({})).await;
        for step in 0..4_u64 {
            let value = (6.0 - number as f64) * (1.0 + 0.5_f64.powf(step as f64));
            assert!(!measure(number, step, value).await);
        }
        let told = json!({"metrics": {"loss": 6.0 - number as f64}});
        assert_eq!(server.post(&format!("{study}/trials/{number}/tell"), told).await.0, 200);
    }
    server.post(&format!("{study}/ask"), json!({})).await;
    assert!(!measure(6, 0, 1.9).await);
    assert!(measure(6, 0, 30.0).await);
    assert!(measure(6, 2, 25.0).await);
    let trial = server.get(&format!("{study}/trials/6")).await.1;
    assert_eq!(
        trial["measurements"].as_array().unwrap().len(),
        2,
        "a step measured again is replaced: {trial}"
    );
    assert_eq!(server.post(&format!("{study}/trials/6/tell"), json!({"stopped": true})).await.0, 200);
    let trial = server.get(&format!("{study}/trials/6")).await.1;
    assert_eq!((trial["state"].as_str(), &trial["metrics"]), (Some("stopped"), &Json::Null), "{trial}");
    // Faults, an unknown trial, and one that does not run.
    let bad = json!({"step": 1, "metrics": {"speed": 1.0}});
    assert_eq!(server.post(&format!("{study}/trials/6/measurements"), bad).await.0, 422);
    let good = json!({"step": 1, "metrics": {"loss": 1.0}});
    assert_eq!(server.post(&format!("{study}/trials/99/measurements"), good.clone()).await.0, 404);
    assert_eq!(server.post(&format!("{study}/trials/6/measurements"), good.clone()).await.0, 409);
    // A paused study wants no evaluation to go on.
    server.post(&format!("{study}/ask"), json!({})).await;
    server.patch(&study, json!({"state": "paused"})).await;
    assert!(measure(7, 0, 0.1).await);
}

/// A study whose loss is a parabola in x that does not depend on y, with `count` trials told.
async fn parabola(server: &Server, count: u32, sem: Option<f64>) -> String {
    let study = server.study(plane("parabola", "auto")).await;
    let mut trials = Vec::new();
    for i in 0..count {
        let (x, y) = (f64::from(i * 7 % count) / f64::from(count), 10f64.powi((i % 5).cast_signed() - 2));
        let loss = 10.0 * (x - 0.3) * (x - 0.3);
        trials
            .push(json!({"parameters": {"x": x, "y": y}, "metrics": {"loss": {"value": loss, "sem": sem}}}));
    }
    let (status, attached) = server.post(&format!("{study}/trials"), json!({"trials": trials})).await;
    assert_eq!(status, 201, "{attached}");
    study
}

/// A study of 20 parameters, of which x3 and x11 matter, with `count` trials told.
async fn many(server: &Server, count: u32, algorithm: Json) -> String {
    let name = |i: u32| format!("x{i}");
    let parameters: Vec<Json> =
        (0..20).map(|i| json!({"name": name(i), "type": "float", "low": 0, "high": 1})).collect();
    let metrics = json!([{"name": "loss", "goal": "minimize"}]);
    let study = json!({"name": format!("many {count} {algorithm}"), "seed": 1, "algorithm": algorithm, "parameters": parameters, "metrics": metrics});
    let study = server.study(study).await;
    // A Kronecker sequence: fractional parts of multiples of square roots of numbers without squares.
    let roots = [2, 3, 5, 6, 7, 10, 11, 13, 14, 15, 17, 19, 21, 22, 23, 26, 29, 30, 31, 33];
    let trial = |k: u32| {
        let at = |i: usize| (f64::from(k + 1) * f64::from(roots[i]).sqrt()).fract();
        let parameters: serde_json::Map<String, Json> =
            (0..20u32).map(|i| (name(i), json!(at(i as usize)))).collect();
        let loss = 2.0 * (4.0 * at(3)).sin() + 3.0 * (at(11) - 0.4).powi(2);
        json!({"parameters": parameters, "metrics": {"loss": loss}})
    };
    let trials: Vec<Json> = (0..count).map(trial).collect();
    let (status, attached) = server.post(&format!("{study}/trials"), json!({"trials": trials})).await;
    assert_eq!(status, 201, "{attached}");
    study
}

async fn few_of_many_parameters_are_found_by_the_sparse_prior(server: Server) {
    let learned = async |study: &str| -> (String, String, Json) {
        let (status, insights) = server.get(&format!("{study}/insights")).await;
        assert_eq!(status, 200, "{insights}");
        let decisions = insights["decisions"].as_array().unwrap().clone();
        let chosen = |what: &str| {
            let decision = decisions.iter().find(|decision| decision["what"] == what).unwrap();
            decision["chosen"].as_str().unwrap().to_owned()
        };
        (chosen("hyperparameters"), chosen("input_warping"), insights["models"][0].clone())
    };
    let study = many(&server, 40, json!({})).await;
    let (hyperparameters, warping, model) = learned(&study).await;
    assert_eq!((hyperparameters.as_str(), warping.as_str()), ("sparse", "none"));
    let lengthscale = |name: &str| model["lengthscales"][name].as_f64().unwrap();
    let idle = (0..20).filter(|i| ![3, 11].contains(i)).map(|i| lengthscale(&format!("x{i}")));
    let least_idle = idle.fold(f64::INFINITY, f64::min);
    assert!(least_idle > 2.0 * lengthscale("x3") && least_idle > 1.5 * lengthscale("x11"), "{model}");
    let (status, asked) = server.post(&format!("{study}/ask"), json!({"count": 2})).await;
    assert_eq!(status, 200, "{asked}");
    assert!(
        asked["trials"][0]["parameters"]["x3"].as_f64().unwrap() > 0.7,
        "the sine is least at 1: {asked}"
    );

    // With more trials, and where the study says so, it is otherwise.
    for (count, algorithm, expected) in [
        (101, json!({}), ("fitted", "none")),
        (25, json!({"hyperparameters": "fitted"}), ("fitted", "none")),
        (25, json!({"hyperparameters": "sampled"}), ("sampled", "none")),
        (25, json!({"input_warping": "always"}), ("sparse", "learned")),
    ] {
        let study = many(&server, count, algorithm.clone()).await;
        let (hyperparameters, warping, _) = learned(&study).await;
        assert_eq!((hyperparameters.as_str(), warping.as_str()), expected, "{algorithm}");
    }
    let bad =
        json!({"name": "s", "parameters": [], "metrics": [], "algorithm": {"hyperparameters": "guessed"}});
    assert_eq!(server.post("/v1/studies", bad).await.0, 400);
}

async fn models_predict_and_show_what_they_are_made_of(server: Server) {
    let empty = server.study(plane("empty", "auto")).await;
    let points = json!({"points": [{"x": 0.3, "y": 1.0}, {"x": 0.9, "y": 0.01}]});
    let (status, nothing) = server.post(&format!("{empty}/predict"), points.clone()).await;
    assert_eq!((status, &nothing["predictions"]), (200, &json!([{}, {}])), "{nothing}");
    assert!(nothing.get("log_expected_improvement").is_none(), "{nothing}");
    assert_eq!(server.get(&format!("{empty}/insights")).await.1["models"], json!([]));

    let study = parabola(&server, 20, None).await;
    let (status, answer) = server.post(&format!("{study}/predict"), points).await;
    assert_eq!(status, 200, "{answer}");
    for (prediction, expected) in answer["predictions"].as_array().unwrap().iter().zip([0.0, 3.6]) {
        let number = |name: &str| prediction["loss"][name].as_f64().unwrap();
        assert!((number("mean") - expected).abs() < 0.2, "{answer}");
        assert!(number("sd") > 0.0 && number("sd") < 0.5, "{answer}");
        assert!(number("q05") < number("q50") && number("q50") < number("q95"), "{answer}");
    }
    // Near the minimum there is more to gain than far from it.
    let worth = |i: usize| answer["log_expected_improvement"][i].as_f64().unwrap();
    assert!(worth(0) > worth(1) + 1.0, "{answer}");
    let (status, insights) = server.get(&format!("{study}/insights")).await;
    assert_eq!(status, 200, "{insights}");
    let model = &insights["models"][0];
    assert_eq!((&model["metric"], &model["observations"]), (&json!("loss"), &json!(20)));
    let importance = |name: &str| model["importances"][name].as_f64().unwrap();
    assert!(importance("x") > 0.9 && importance("y") < 0.1, "{insights}");
    assert_eq!(model["lengthscales"].as_object().map(serde_json::Map::len), Some(2));
    assert!(model["cross_check"]["largest_disagreement"].as_f64().unwrap() < 1e-6, "{insights}");
    let left_out = model["leave_one_out"].as_array().unwrap();
    assert_eq!(left_out.len(), 20);
    for trial in left_out {
        let (observed, mean) =
            (trial["observed"].as_f64().unwrap(), trial["predicted"]["mean"].as_f64().unwrap());
        assert!((observed - mean).abs() < 0.5, "{trial}");
    }
    let remaining = &insights["remaining"];
    let gain = remaining["expected_improvement"].as_f64().unwrap();
    let probability = remaining["probability"].as_f64().unwrap();
    assert!(gain >= 0.0 && (0.0..=1.0).contains(&probability), "{remaining}");
    let decided: Vec<&str> = insights["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|decision| decision["what"].as_str())
        .collect();
    let expected = [
        "acquisition",
        "initial_design",
        "kernel",
        "hyperparameters",
        "input_warping",
        "region",
        "output_transform",
    ];
    assert_eq!(decided, expected);

    let (status, refused) = server
        .post(&format!("{study}/predict"), json!({"points": [{"x": "a", "y": 1.0}, {"x": 0.5, "z": 1}]}))
        .await;
    assert_eq!(status, 422, "{refused}");
    assert!(refused["errors"].as_array().unwrap().len() >= 2, "{refused}");
}

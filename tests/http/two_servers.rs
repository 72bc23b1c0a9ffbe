//! Two servers on one Postgres: a request that is sent to both at once, with one idempotency key, is done once; and
//! workers of either get points of their own.

use std::collections::HashSet;

use serde_json::{Value as Json, json};

use crate::server::{Server, plane};

/// What was answered to a keyed request: status, whether it was a replay, the problem's cause, the body.
#[derive(Debug)]
struct Answered {
    status: u16,
    replayed: bool,
    cause: Option<String>,
    body: Json,
}

async fn post_keyed(server: &Server, path: &str, key: &str, body: &Json) -> Answered {
    let request =
        server.client.post(format!("{}{path}", server.url)).header("idempotency-key", key).json(body);
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let replayed = response.headers().contains_key("idempotency-replayed");
    assert!(status != 409 || response.headers().contains_key("retry-after"));
    let body: Json = response.json().await.unwrap();
    Answered { status, replayed, cause: body["type"].as_str().map(str::to_owned), body }
}

/// Sends a request to both at once, and checks that one answer was made: each server gave it, or said that the request
/// is in progress and then gave it. Returns it.
async fn post_to_both(servers: &[Server; 2], path: &str, key: &str, body: &Json) -> Json {
    let [one, two] = servers;
    let both = tokio::join!(post_keyed(one, path, key, body), post_keyed(two, path, key, body));
    let mut answers = vec![both.0, both.1];
    assert!(
        answers.iter().filter(|answer| answer.status < 300 && !answer.replayed).count() <= 1,
        "{answers:?}"
    );
    for server in servers {
        answers.push(post_keyed(server, path, key, body).await);
    }
    let in_progress = "urn:tellus:problem:request-in-progress";
    answers.retain(|answer| answer.status != 409 || answer.cause.as_deref() != Some(in_progress));
    assert!(
        answers.len() >= 3 && answers[answers.len() - 2..].iter().all(|answer| answer.replayed),
        "{answers:?}"
    );
    for answer in &answers {
        assert!((200..300).contains(&answer.status), "{answers:?}");
        assert_eq!(answer.body, answers[0].body);
    }
    answers.swap_remove(0).body
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_sent_to_both_is_answered_once() {
    let schema = crate::postgres::schema().await;
    let servers = [Server::start(&schema.url).await, Server::start(&schema.url).await];
    for round in 0..10 {
        let definition = plane(&format!("study {round}"), "space_filling");
        let study = post_to_both(&servers, "/v1/studies", &format!("create {round}"), &definition).await;
        let study = format!("/v1/studies/{}", study["id"].as_str().unwrap());
        let asked = post_to_both(&servers, &format!("{study}/ask"), "ask", &json!({"count": 2})).await;
        assert_eq!(asked["trials"].as_array().map(Vec::len), Some(2));
        let told = json!({"metrics": {"loss": 1.5}});
        post_to_both(&servers, &format!("{study}/trials/0/tell"), "tell", &told).await;
        let point = json!({"trials": [{"parameters": {"x": 0.5, "y": 1.0}, "metrics": {"loss": 2.0}}]});
        post_to_both(&servers, &format!("{study}/trials"), "attach", &point).await;
        let (_, record) = servers[0].get(&study).await;
        // Created, asked for two, told, attached: each once.
        let counts = &record["trial_counts"];
        assert_eq!((&counts["running"], &counts["completed"]), (&json!(1), &json!(2)), "{record}");
        assert_eq!(record["revision"], 5, "{record}");
        // The same key with another body at the other server.
        let other = post_keyed(&servers[1], &format!("{study}/ask"), "ask", &json!({"count": 3})).await;
        assert_eq!(
            (other.status, other.cause.as_deref()),
            (422, Some("urn:tellus:problem:idempotency-key-reused"))
        );
    }
    let (_, studies) = servers[1].get("/v1/studies").await;
    assert_eq!(studies["studies"].as_array().map(Vec::len), Some(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_of_both_get_points_of_their_own() {
    let schema = crate::postgres::schema().await;
    let servers = [Server::start(&schema.url).await, Server::start(&schema.url).await];
    let study = servers[0].study(plane("shared", "auto")).await;
    let work = |server: usize| {
        let (server, study) = (&servers[server], &study);
        async move {
            let mut points = Vec::new();
            for _ in 0..5 {
                let (status, asked) = server.post(&format!("{study}/ask"), json!({})).await;
                assert_eq!(status, 200, "{asked}");
                let trial = &asked["trials"][0];
                let told = json!({"metrics": {"loss": trial["parameters"]["x"]}});
                let (status, told) =
                    server.post(&format!("{study}/trials/{}/tell", trial["number"]), told).await;
                assert_eq!(status, 200, "{told}");
                points.push((trial["number"].to_string(), trial["parameters"].to_string()));
            }
            points
        }
    };
    let points = futures_util::future::join_all((0..6).map(|worker| work(worker % 2))).await.concat();
    let numbers: HashSet<&String> = points.iter().map(|(number, _)| number).collect();
    let parameters: HashSet<&String> = points.iter().map(|(_, parameters)| parameters).collect();
    assert_eq!((points.len(), numbers.len(), parameters.len()), (30, 30, 30));
}

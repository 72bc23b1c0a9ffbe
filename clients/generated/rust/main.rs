//! Twenty trials through the client that OpenAPI Generator makes for Rust.

use std::collections::HashMap;

use tellus_api::apis::configuration::Configuration;
use tellus_api::apis::{Error, studies_api as studies, trials_api as trials};
use tellus_api::models::*;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let configuration = Configuration {
        base_path: std::env::var("TELLUS_URL")?,
        bearer_access_token: std::env::var("TELLUS_TOKEN").ok(),
        ..Configuration::new()
    };
    let kernel_is_poly = serde_json::json!({"kernel": ["poly"]});
    let request: StudyRequest = serde_json::from_value(serde_json::json!({
        "name": format!("generated-rust-{}", std::process::id()),
        "parameters": [
            {"type": "float", "name": "x", "low": -5.0, "high": 10.0},
            {"type": "categorical", "name": "kernel", "choices": ["rbf", "poly"]},
            {"type": "int", "name": "degree", "low": 2, "high": 5, "when": kernel_is_poly},
        ],
        "metrics": [{"name": "loss", "goal": "minimize"}],
        "seed": 1,
    }))?;
    assert!(matches!(request.parameters[1], Parameter::Categorical(_)), "{:?}", request.parameters[1]);
    let study = studies::create_study(&configuration, request, None).await?;
    let id = study.id.to_string();
    for number in 0..20 {
        let ask = AskRequest { worker: Some(Some("rust".into())), ..AskRequest::new() };
        let asked = trials::ask(&configuration, &id, None, Some(ask)).await?;
        let trial = &asked.trials[0];
        assert_eq!(trial.number, number);
        let point = &trial.parameters;
        assert_eq!(point.contains_key("degree"), point["kernel"] == "poly");
        let mut tell = TellRequest::new();
        if number == 4 {
            tell.failed = Some(Some("out of memory".into()));
        } else {
            let degree = point.get("degree").and_then(|degree| degree.as_f64()).unwrap_or(0.0);
            let loss = point["x"].as_f64().unwrap_or(f64::NAN).powi(2) + degree;
            let metrics = HashMap::from([("loss".to_owned(), MetricValue::Number(loss))]);
            tell.metrics = Some(Some(metrics));
        }
        let told = trials::tell(&configuration, &id, number, tell, None).await?;
        assert_eq!(told.state, if number == 4 { "failed" } else { "completed" });
    }
    let other = TellRequest { failed: Some(Some("something else".into())), ..TellRequest::new() };
    match trials::tell(&configuration, &id, 0, other, None).await {
        Err(Error::ResponseError(refused)) => {
            assert_eq!(refused.status.as_u16(), 409);
            assert!(refused.content.contains("already-told"), "{}", refused.content);
        }
        answer => panic!("telling something else is refused, not {answer:?}"),
    }
    let counts = studies::get_study(&configuration, &id).await?.trial_counts;
    assert_eq!((counts["completed"], counts["failed"]), (19, 1));
    let best = studies::get_best(&configuration, &id).await?;
    println!("rust: 20 trials, best {:?}", best.trials[0].metrics);
    Ok(())
}

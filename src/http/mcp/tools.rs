//! The tools: chosen operations of the OpenAPI document. A tool's input is the operation's path, query and body put
//! together, its description the operation's; a call becomes the operation's request.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Map, Value as Json, json};

use super::carrier::{Carried, ToolRequest};

/// Stands in a path for the study until its id is known.
pub(super) const STUDY: &str = "{study}";
/// What is written as it is in a path or a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const SCHEMAS: &str = "#/components/schemas/";
/// Entries of a list where the call does not say how many: an assistant reads every one.
const LISTED: u64 = 20;

/// What a tool does to the world.
#[derive(Clone, Copy)]
enum Effect {
    Reads,
    Adds,
    Replaces,
}

/// An operation that is a tool: its id, a title, its effect, and what an answer is relieved of.
type Choice = (&'static str, &'static str, Effect, fn(&mut Json));

/// Which operations are tools, in the order in which an assistant needs them. None deletes a study.
const CHOSEN: [Choice; 15] = [
    ("list_algorithms", "List algorithms", Effect::Reads, whole),
    ("check_study", "Check a study before creating it", Effect::Reads, whole),
    ("create_study", "Create a study", Effect::Adds, whole),
    ("list_studies", "List studies", Effect::Reads, whole),
    ("get_study", "Read a study", Effect::Reads, whole),
    ("change_study", "Pause, finish or extend a study", Effect::Replaces, whole),
    ("ask", "Ask which experiment to run next", Effect::Adds, whole),
    ("tell", "Tell what came out", Effect::Replaces, whole),
    ("attach_trials", "Attach results that exist already", Effect::Adds, whole),
    ("list_trials", "List trials", Effect::Reads, whole),
    ("get_trial", "Read a trial", Effect::Reads, whole),
    ("change_trial", "Note something on a trial", Effect::Replaces, whole),
    ("get_best", "Show the best so far", Effect::Reads, whole),
    ("predict", "Predict at points", Effect::Reads, whole),
    ("get_insights", "Show what was learned", Effect::Reads, without_residuals),
];

fn whole(_: &mut Json) {}

/// Leave-one-out predictions are as many as trials, and drawn rather than read.
fn without_residuals(insights: &mut Json) {
    let models = insights.get_mut("models").and_then(Json::as_array_mut).into_iter().flatten();
    for model in models.filter_map(Json::as_object_mut) {
        model.remove("leave_one_out");
    }
}

/// A tool, and the request that it stands for.
pub(super) struct Offered {
    pub(super) tool: Tool,
    /// Relieves an answer of what an assistant has no use for.
    pub(super) shorten: fn(&mut Json),
    method: Method,
    path: String,
    in_path: Vec<String>,
    in_query: Vec<String>,
    has_body: bool,
}

/// A tool's request; where a study is named, its id is yet to be put into the path.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) request: ToolRequest,
    pub(super) study: Option<String>,
}

/// The tools that a document has the operations of.
pub(super) fn offered(document: &Json) -> Vec<Offered> {
    CHOSEN.iter().filter_map(|choice| offer(document, choice)).collect()
}

/// The request for the studies of a name.
pub(super) fn studies_named(name: &str) -> ToolRequest {
    ToolRequest { method: Method::GET, path: format!("/v1/studies?name={}", escaped(name)), body: None }
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

fn offer(document: &Json, (id, title, effect, shorten): &Choice) -> Option<Offered> {
    let (path, method, operation) = operation(document, id)?;
    let text = |name: &str| operation.get(name).and_then(Json::as_str).unwrap_or_default();
    let description = format!("{}.\n\n{}", text("summary"), text("description")).trim().to_owned();
    let mut input = Input::default();
    let (mut in_path, mut in_query) = (Vec::new(), Vec::new());
    for parameter in operation.get("parameters").and_then(Json::as_array).into_iter().flatten() {
        let name = parameter["name"].as_str()?.to_owned();
        let mut schema = parameter["schema"].clone();
        schema["description"] = parameter["description"].clone();
        match parameter["in"].as_str() {
            Some("path") if name == "study" => {
                schema = json!({"type": "string", "description": "The study's name or id"});
                in_path.push(name.clone());
            }
            Some("path") => in_path.push(name.clone()),
            Some("query") => in_query.push(name.clone()),
            _ => continue,
        }
        if name == "limit" {
            schema["default"] = json!(LISTED);
        }
        let is_required = parameter["required"].as_bool().unwrap_or(false);
        input.add(name, schema, is_required);
    }
    let body = operation.pointer("/requestBody/content/application~1json/schema");
    if let Some(body) = body {
        input.add_all(resolved(document, body)?);
    }
    let annotations = ToolAnnotations::with_title(*title)
        .read_only(matches!(effect, Effect::Reads))
        .destructive(matches!(effect, Effect::Replaces))
        .open_world(false);
    let tool = Tool::new(*id, description, Arc::new(input.schema(document))).with_annotations(annotations);
    Some(Offered {
        tool,
        shorten: *shorten,
        method,
        path: path.to_owned(),
        in_path,
        in_query,
        has_body: body.is_some(),
    })
}

/// An operation of the document with its path and method.
fn operation<'a>(document: &'a Json, id: &str) -> Option<(&'a str, Method, &'a Json)> {
    let paths = document.get("paths")?.as_object()?;
    paths.iter().find_map(|(path, methods)| {
        let (method, operation) = methods.as_object()?.iter().find(|(_, each)| each["operationId"] == id)?;
        Some((path.as_str(), method.to_ascii_uppercase().parse().ok()?, operation))
    })
}

/// What a reference leads to, or the schema itself.
fn resolved<'a>(document: &'a Json, schema: &'a Json) -> Option<&'a Json> {
    match schema.get("$ref").and_then(Json::as_str) {
        None => Some(schema),
        Some(reference) => document["components"]["schemas"].get(reference.strip_prefix(SCHEMAS)?),
    }
}

/// The input of a tool as it is put together.
#[derive(Default)]
struct Input {
    properties: Map<String, Json>,
    required: Vec<String>,
    example: Option<Json>,
}

impl Input {
    fn add(&mut self, name: String, schema: Json, is_required: bool) {
        if is_required {
            self.required.push(name.clone());
        }
        self.properties.insert(name, schema);
    }

    /// Adds every property of an object's schema.
    fn add_all(&mut self, body: &Json) {
        let required = body.get("required").and_then(Json::as_array);
        let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|each| each == name));
        for (name, schema) in body.get("properties").and_then(Json::as_object).into_iter().flatten() {
            self.add(name.clone(), schema.clone(), is_required(name));
        }
        self.example = body.get("example").cloned();
    }

    /// A JSON schema that holds everything that it refers to.
    fn schema(self, document: &Json) -> JsonObject {
        let mut properties = Json::Object(self.properties);
        let (mut wanted, mut definitions) = (BTreeSet::new(), Map::new());
        localize(&mut properties, &mut wanted);
        while let Some(name) = wanted.pop_first() {
            let Some(schema) = document["components"]["schemas"].get(&name) else { continue };
            let mut schema = schema.clone();
            let mut more = BTreeSet::new();
            localize(&mut schema, &mut more);
            definitions.insert(name, schema);
            wanted.extend(more.into_iter().filter(|name| !definitions.contains_key(name)));
        }
        let mut schema = Map::new();
        schema.insert("type".into(), json!("object"));
        schema.insert("properties".into(), properties);
        schema.insert("required".into(), json!(self.required));
        schema.insert("additionalProperties".into(), json!(false));
        if let Some(example) = self.example {
            schema.insert("examples".into(), json!([example]));
        }
        if !definitions.is_empty() {
            schema.insert("$defs".into(), Json::Object(definitions));
        }
        schema
    }
}

/// Turns references into the document into references within the schema, and gathers what they name.
fn localize(schema: &mut Json, named: &mut BTreeSet<String>) {
    match schema {
        Json::Array(items) => items.iter_mut().for_each(|item| localize(item, named)),
        Json::Object(fields) => {
            // A discriminator names schemas by their place in the document; each variant's tag says the same.
            fields.remove("discriminator");
            if let Some(Json::String(reference)) = fields.get_mut("$ref")
                && let Some(name) = reference.strip_prefix(SCHEMAS)
            {
                named.insert(name.to_owned());
                *reference = format!("#/$defs/{name}");
            }
            fields.values_mut().for_each(|field| localize(field, named));
        }
        _ => {}
    }
}

impl Offered {
    /// The request of a call with these arguments.
    ///
    /// # Errors
    /// A problem, where an argument of the path is missing or one is not known; the rest is the service's to check.
    pub(super) fn call(&self, mut arguments: JsonObject) -> Carried<Call> {
        let mut path = self.path.clone();
        let mut study = None;
        for name in &self.in_path {
            let Some(value) = arguments.remove(name).as_ref().and_then(as_text) else {
                return Err(refusal(format!("{name} is missing")));
            };
            if name == "study" {
                study = Some(value);
            } else {
                path = path.replace(&format!("{{{name}}}"), &escaped(&value));
            }
        }
        let mut query = Vec::new();
        for name in &self.in_query {
            let given = arguments.remove(name).as_ref().and_then(as_text);
            let value = given.or_else(|| (name == "limit").then(|| LISTED.to_string()));
            query.extend(value.map(|value| format!("{name}={}", escaped(&value))));
        }
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        if let (false, Some(name)) = (self.has_body, arguments.keys().next()) {
            return Err(refusal(format!("{} has no argument {name:?}", self.tool.name)));
        }
        let body = self.has_body.then_some(Json::Object(arguments));
        Ok(Call { request: ToolRequest { method: self.method.clone(), path, body }, study })
    }
}

/// A scalar as it stands in an address.
fn as_text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn refusal(detail: String) -> Json {
    json!({"title": "The request cannot be read", "status": 400, "detail": detail})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Json) -> JsonObject {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn every_chosen_operation_is_a_tool_with_a_closed_schema() {
        let offered = offered(&crate::http::document().unwrap());
        let names: Vec<&str> = offered.iter().map(|each| each.tool.name.as_ref()).collect();
        assert_eq!(names, CHOSEN.map(|(id, ..)| id));
        for each in &offered {
            let schema = Json::Object((*each.tool.input_schema).clone());
            let text = schema.to_string();
            assert!(!text.contains("#/components") && !text.contains("Idempotency"), "{text}");
            let mut named = text.split("#/$defs/").skip(1).map(|rest| rest.split('"').next().unwrap());
            assert!(named.all(|name| schema["$defs"].get(name).is_some()), "{text}");
            let properties = schema["properties"].as_object().unwrap();
            assert!(each.in_path.iter().chain(&each.in_query).all(|name| properties.contains_key(name)));
            assert!(each.tool.description.as_ref().is_some_and(|text| text.len() > 5));
        }
    }

    #[test]
    fn a_call_becomes_the_request_of_its_operation() {
        let offered = offered(&crate::http::document().unwrap());
        let call = |name: &str, arguments: Json| {
            offered.iter().find(|each| each.tool.name == name).unwrap().call(object(arguments))
        };
        let tell = call("tell", json!({"study": "a b", "number": 3, "metrics": {"y": 1}})).unwrap();
        assert_eq!(tell.study.as_deref(), Some("a b"));
        let expected = ToolRequest {
            method: Method::POST,
            path: "/v1/studies/{study}/trials/3/tell".into(),
            body: Some(json!({"metrics": {"y": 1}})),
        };
        assert_eq!(tell.request, expected);
        let list = call("list_studies", json!({"search": "a&b=c/ü"})).unwrap();
        assert_eq!(list.request.path, "/v1/studies?search=a%26b%3Dc%2F%C3%BC&limit=20");
        assert!(call("get_best", json!({})).unwrap_err()["detail"].as_str().unwrap().contains("study"));
        assert!(call("get_best", json!({"study": "s", "no": 1})).is_err());
    }
}

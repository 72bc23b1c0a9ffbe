//! Turns what utoipa derives into what client generators understand: tagged unions of named schemas with a
//! discriminator, open maps that say so, parameters that are absent rather than null, and on every operation the
//! refusals, tokens and limits that all of them share.

use serde_json::{Map, Value as Json, json};

use crate::http::MAX_BODY_BYTES;
use crate::http::problem::Cause;

const PROBLEM: &str = "application/problem+json";

/// Shapes the whole document.
pub(super) fn shape(document: &mut Json) {
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Json::as_object_mut) {
        discriminate(schemas);
        if let Some(kind) =
            schemas.get_mut("Problem").and_then(|problem| problem.pointer_mut("/properties/type"))
        {
            kind["description"] = json!(causes());
        }
    }
    simplify(document);
    let paths = document.get_mut("paths").and_then(Json::as_object_mut);
    for operation in
        paths.into_iter().flat_map(Map::values_mut).filter_map(Json::as_object_mut).flat_map(Map::values_mut)
    {
        parameters(operation);
        body(operation);
        refusals(operation);
    }
    document["servers"] = json!([{"url": "/", "description": "Where this document comes from"}]);
    document["security"] = json!([{"token": []}, {"session": []}, {}]);
    document["components"]["securitySchemes"] = json!({"token": {
        "type": "http", "scheme": "bearer",
        "description": "A token, `tellus_…`. A server without authentication takes no notice of it.",
    }, "session": {
        "type": "apiKey", "in": "cookie", "name": "tellus_session",
        "description": "A browser's session; what changes something is taken from this server's own pages alone.",
    }});
    if let Some(Json::String(description)) = document.pointer_mut("/info/description") {
        let megabytes = MAX_BODY_BYTES >> 20;
        description.push_str(&format!(
            "\n\nLimits: a body of {megabytes} MiB, 256 trials an ask, 10,000 trials attached at once, 1000 entries a \
             page, 255 characters of an idempotency key. Integers lie within ±(2^53 − 1). The causes of refusals \
             are listed with the schema `Problem`."
        ));
    }
}

/// Every cause of a refusal with its status.
fn causes() -> String {
    let mut text = String::from("The cause of a refusal, a stable URI: ");
    let each: Vec<String> =
        Cause::ALL.iter().map(|cause| format!("`{}` ({})", cause.uri(), cause.status())).collect();
    text.push_str(&each.join(", "));
    text.push('.');
    text
}

/// A union of `allOf [schema, {tag}]` becomes a union of the schemas, each with its tag, and a discriminator.
fn discriminate(schemas: &mut Map<String, Json>) {
    let unions: Vec<(String, Vec<Variant>)> = schemas
        .iter()
        .filter_map(|(name, schema)| {
            let variants =
                schema.get("oneOf")?.as_array()?.iter().map(Variant::read).collect::<Option<Vec<_>>>()?;
            Some((name.clone(), variants))
        })
        .collect();
    for (union, variants) in unions {
        let Some(tag) = variants.first().map(|variant| variant.tag.clone()) else { continue };
        let mut mapping = Map::new();
        for variant in &variants {
            mapping.insert(variant.value.clone(), json!(variant.reference));
            let name = variant.reference.rsplit('/').next().unwrap_or_default();
            if let Some(schema) = schemas.get_mut(name) {
                add_tag(schema, &tag, &variant.value);
            }
        }
        let references: Vec<Json> =
            variants.iter().map(|variant| json!({"$ref": variant.reference})).collect();
        if let Some(schema) = schemas.get_mut(&union) {
            schema["oneOf"] = Json::Array(references);
            schema["discriminator"] = json!({"propertyName": tag, "mapping": mapping});
        }
    }
}

/// One schema of a tagged union.
struct Variant {
    reference: String,
    tag: String,
    value: String,
}

impl Variant {
    /// `allOf [{$ref}, {an object with one property, a string of one value}]`.
    fn read(schema: &Json) -> Option<Self> {
        let [named, tagged] = schema.get("allOf")?.as_array()?.as_slice() else { return None };
        let reference = named.get("$ref")?.as_str()?.to_owned();
        let properties = tagged.get("properties")?.as_object()?;
        let (tag, kind) = properties.iter().next().filter(|_| properties.len() == 1)?;
        let value = kind.pointer("/enum/0")?.as_str()?.to_owned();
        Some(Self { reference, tag: tag.clone(), value })
    }
}

fn add_tag(schema: &mut Json, tag: &str, value: &str) {
    if let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) {
        properties.insert(tag.into(), json!({"type": "string", "enum": [value]}));
    }
    match schema.get_mut("required").and_then(Json::as_array_mut) {
        Some(required) => required.push(json!(tag)),
        None => schema["required"] = json!([tag]),
    }
}

/// Whatever in the document says nothing to a generator, or too little.
fn simplify(value: &mut Json) {
    if let Some(object) = value.as_object_mut() {
        // The names of a JSON object are strings anyway.
        if object.get("propertyNames") == Some(&json!({"type": "string"})) {
            object.remove("propertyNames");
        }
        let is_object = match object.get("type") {
            Some(Json::String(kind)) => kind == "object",
            Some(Json::Array(kinds)) => kinds.contains(&json!("object")),
            _ => false,
        };
        let is_free = !["properties", "additionalProperties", "oneOf", "allOf", "enum"]
            .iter()
            .any(|key| object.contains_key(*key));
        if is_object && is_free {
            object.insert("additionalProperties".into(), json!(true));
        }
        if let Some(variants) = object.get_mut("oneOf").and_then(Json::as_array_mut) {
            for reference in variants.iter_mut().filter_map(Json::as_object_mut) {
                if reference.contains_key("$ref") {
                    reference.retain(|key, _| key == "$ref");
                }
            }
        }
        object.values_mut().for_each(simplify);
    } else if let Some(items) = value.as_array_mut() {
        items.iter_mut().for_each(simplify);
    }
}

/// A parameter is there or not; it is never null.
fn parameters(operation: &mut Json) {
    for parameter in operation.get_mut("parameters").and_then(Json::as_array_mut).into_iter().flatten() {
        let is_key = parameter["name"] == "Idempotency-Key";
        let Some(schema) = parameter.get_mut("schema").and_then(Json::as_object_mut) else { continue };
        if let Some(Json::Array(kinds)) = schema.get("type") {
            let kind = kinds.iter().find(|kind| *kind != "null").cloned();
            schema.insert("type".into(), kind.unwrap_or_default());
        }
        if is_key {
            schema.insert("minLength".into(), json!(1));
            schema.insert("maxLength".into(), json!(255));
        }
    }
}

/// An optional body is left out rather than null.
fn body(operation: &mut Json) {
    let Some(schema) = operation.pointer_mut("/requestBody/content/application~1json/schema") else { return };
    let named = schema.get("oneOf").and_then(Json::as_array).and_then(|variants| match variants.as_slice() {
        [named, null] if null["type"] == "null" => Some(named.clone()),
        [null, named] if null["type"] == "null" => Some(named.clone()),
        _ => None,
    });
    let is_optional = named.is_some();
    if let Some(named) = named {
        *schema = named;
    }
    operation["requestBody"]["required"] = json!(!is_optional);
}

/// Every operation may be refused; a refusal that passes says when to come again.
fn refusals(operation: &mut Json) {
    let Some(responses) = operation.get_mut("responses").and_then(Json::as_object_mut) else { return };
    if !responses.contains_key("4XX") {
        responses.insert(
            "4XX".into(),
            json!({
                "description": "Refused",
                "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }),
        );
    }
    if !responses.contains_key("503") {
        responses.insert(
            "503".into(),
            json!({
                "description": "Try again later",
                "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }),
        );
    }
    for (status, response) in responses.iter_mut() {
        if matches!(status.as_str(), "4XX" | "409" | "429" | "503") && response.get("headers").is_none() {
            response["headers"] = json!({"Retry-After": {
                "description": "Seconds after which to try again, where that helps", "schema": {"type": "integer"},
            }});
        }
    }
    responses.sort_keys();
}

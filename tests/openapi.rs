//! The committed OpenAPI document is the one that the code makes.

#[test]
fn the_committed_document_is_up_to_date() {
    let committed = std::fs::read_to_string("openapi/openapi.json").unwrap();
    let made = tellus::http::document_json().unwrap();
    assert!(
        committed == made,
        "openapi/openapi.json is stale; make it anew: cargo run -- openapi > openapi/openapi.json"
    );
}

//! The dashboard's files, built from `dashboard/` and kept in the program: served compressed, with a tag that changes
//! with them, under a policy by which a page runs and fetches nothing that is not in here.

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

use super::App;

/// What a page may do. Nothing inline, nothing from elsewhere, and no other page may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file with its compressed forms.
struct File {
    content_type: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
    brotli: Option<&'static [u8]>,
}

macro_rules! file {
    ($name:literal, $content_type:literal) => {
        File {
            content_type: $content_type,
            plain: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/dashboard/dist/", $name)),
            gzip: Some(include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/dashboard/dist/", $name, ".gz"))),
            brotli: Some(include_bytes!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/dashboard/dist/",
                $name,
                ".br"
            ))),
        }
    };
    // What is compressed in itself.
    ($name:literal, $content_type:literal, as it is) => {
        File {
            content_type: $content_type,
            plain: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/dashboard/dist/", $name)),
            gzip: None,
            brotli: None,
        }
    };
}

static PAGE: File = file!("index.html", "text/html; charset=utf-8");
static SCRIPT: File = file!("app.js", "text/javascript; charset=utf-8");
static STYLE: File = file!("app.css", "text/css; charset=utf-8");
static ICON: File = file!("icon.svg", "image/svg+xml");
static FONT: File = file!("inter.woff2", "font/woff2", as it is);
static NOTICES: File = file!("notices.txt", "text/plain; charset=utf-8");

/// `/`, the pages behind it, and what they are made of.
pub(super) fn serve() -> Router<App> {
    let pages = [
        "/",
        "/new",
        "/compare",
        "/studies/{study}",
        "/studies/{study}/{view}",
        "/networks",
        "/networks/{network}",
        "/access",
        "/access/{view}",
    ];
    let files = [
        ("/assets/app.js", &SCRIPT),
        ("/assets/app.css", &STYLE),
        ("/assets/icon.svg", &ICON),
        ("/assets/inter.woff2", &FONT),
        ("/assets/notices.txt", &NOTICES),
    ];
    let pages = pages.into_iter().map(|path| (path, &PAGE));
    pages.chain(files).fold(Router::new(), |router, (path, file)| {
        let tag = tag(file);
        router.route(path, get(move |headers: HeaderMap| async move { answer(file, &tag, &headers) }))
    })
}

/// The strong tag of a file: its hash.
fn tag(file: &File) -> String {
    let hash = Sha256::digest(file.plain);
    let digits: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}

fn answer(file: &'static File, tag: &str, request: &HeaderMap) -> Response {
    let says =
        |name| request.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let accepted = says(header::ACCEPT_ENCODING);
    let (encoding, bytes) = match (file.brotli, file.gzip) {
        (Some(brotli), _) if accepts(accepted, "br") => (Some("br"), brotli),
        (_, Some(gzip)) if accepts(accepted, "gzip") => (Some("gzip"), gzip),
        _ => (None, file.plain),
    };
    // Each form of a file has its own tag.
    let tag = match encoding {
        Some(encoding) => format!("{}-{encoding}\"", tag.trim_end_matches('"')),
        None => tag.to_owned(),
    };
    let known = says(header::IF_NONE_MATCH);
    let is_known = known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag);
    let mut response =
        if is_known { StatusCode::NOT_MODIFIED.into_response() } else { bytes.into_response() };
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::ETAG, &tag);
    // Kept, and asked for again each time: a new program is seen at once, an old one costs no transfer.
    set(header::CACHE_CONTROL, "no-cache");
    set(header::VARY, "accept-encoding");
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::REFERRER_POLICY, "no-referrer");
    if !is_known {
        set(header::CONTENT_TYPE, file.content_type);
        if let Some(encoding) = encoding {
            set(header::CONTENT_ENCODING, encoding);
        }
    }
    response
}

/// Whether an `Accept-Encoding` header takes `coding`.
fn accepts(header: &str, coding: &str) -> bool {
    header.split(',').any(|part| {
        let mut parts = part.split(';').map(str::trim);
        let refused = |weight: &str| weight.trim_start_matches("q=").parse::<f32>().is_ok_and(|q| q <= 0.0);
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding)) && !parts.any(refused)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_taken_as_they_are_weighed() {
        assert!(accepts("gzip, deflate, br", "br") && accepts("GZIP;q=0.5", "gzip"));
        assert!(!accepts("br;q=0, gzip", "br") && !accepts("", "br") && !accepts("brotli", "br"));
    }

    #[test]
    fn each_form_has_its_tag_and_is_not_sent_twice() {
        let ask = |name, value: &str| HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())]);
        let plain = answer(&SCRIPT, &tag(&SCRIPT), &HeaderMap::new());
        let packed = answer(&SCRIPT, &tag(&SCRIPT), &ask(header::ACCEPT_ENCODING, "br"));
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "br");
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        assert_ne!(plain.headers()[header::ETAG], packed.headers()[header::ETAG]);
        let known = plain.headers()[header::ETAG].to_str().unwrap().to_owned();
        let again = answer(&SCRIPT, &tag(&SCRIPT), &ask(header::IF_NONE_MATCH, &known));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert!(!POLICY.contains("unsafe"));
    }
}

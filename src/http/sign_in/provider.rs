//! The issuer: where its endpoints are (OpenID Connect Discovery 1.0), the code that becomes an ID token (RFC 6749, section
//! 4.1.3, with RFC 7636), its keys, and what else it tells of a person.
//!
//! Whatever it answers is bounded in time and size, and believed only over TLS or from this machine itself.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::JwkSet;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use tokio::sync::Semaphore;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use super::claims::{self, ClaimsError, Expected};

/// How long the issuer may take for one answer, and how large that may be.
const PATIENCE: Duration = Duration::from_secs(10);
const MAX_ANSWER_BYTES: u64 = 1 << 20;
/// How long what was discovered is believed, and how soon after a look another one is made: for keys that are not known, or
/// because there was no answer.
const BELIEVED: Duration = Duration::from_secs(3600);
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// How many codes are redeemed at once.
const MOST_AT_ONCE: usize = 16;
/// What stays as it is in a query (RFC 3986, section 2.3).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What this server is to its issuer.
#[derive(Clone, Debug)]
pub struct Client {
    /// The issuer's URL, as it is written in its tokens.
    pub issuer: String,
    /// What the issuer calls this server.
    pub id: String,
    /// What it proves that with; `None` where it cannot keep a secret.
    pub secret: Option<String>,
    /// Scopes beside `openid`.
    pub scopes: Vec<String>,
    /// Where people reach this server, without a slash at the end.
    pub public_url: String,
}

/// Why the issuer cannot be used as it was named.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A URL that is none, or not a safe one.
    #[error("{what} {url:?} begins with https://, or http:// on this machine itself, and has no query")]
    Url {
        /// Which.
        what: &'static str,
        /// The URL.
        url: String,
    },
    /// The file of certificates.
    #[error("no certificates are read from {path}: {reason}")]
    Certificates {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

/// Why somebody cannot be signed in.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProviderError {
    #[error("the issuer does not answer as it should at {url}: {reason}")]
    Unavailable { url: String, reason: String },
    #[error("too many sign in at once")]
    Busy,
    #[error("the issuer refuses the code: {0}")]
    Code(String),
    #[error("the ID token is refused: {0}")]
    Claims(#[from] ClaimsError),
    #[error("the issuer tells of somebody else than its ID token")]
    Subject,
}

/// An issuer, and what is known of it.
pub struct Provider {
    client: Client,
    agent: Agent,
    known: Mutex<Known>,
    looking: tokio::sync::Mutex<()>,
    places: Semaphore,
}

#[derive(Default)]
struct Known {
    discovered: Option<Arc<Discovered>>,
    looked: Option<Instant>,
}

/// What the issuer publishes of itself.
pub(super) struct Discovered {
    endpoints: Endpoints,
    keys: JwkSet,
    at: Instant,
}

#[derive(Clone, Deserialize)]
struct Endpoints {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<String>,
}

/// What binds an answer of the issuer to the request that it answers.
pub(super) struct Binding<'a> {
    pub(super) state: &'a str,
    pub(super) nonce: &'a str,
    pub(super) challenge: &'a str,
}

impl Provider {
    /// An issuer whose certificate is signed by one of those in `certificates`, or, without, by one that browsers know.
    ///
    /// # Errors
    /// When a URL or the certificates are no good. The issuer itself is not asked yet.
    pub fn new(client: Client, certificates: Option<&Path>) -> Result<Self, ClientError> {
        for (what, url) in [("the issuer", &client.issuer), ("the public URL", &client.public_url)] {
            if !is_safe(url) || url.contains(['?', '#']) {
                return Err(ClientError::Url { what, url: url.clone() });
            }
        }
        let mut config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("tellus/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = certificates {
            config = config.tls_config(TlsConfig::builder().root_certs(roots(path)?).build());
        }
        Ok(Self {
            client,
            agent: config.build().into(),
            known: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            places: Semaphore::new(MOST_AT_ONCE),
        })
    }

    /// What people call the issuer: its host.
    pub(super) fn name(&self) -> &str {
        let (_, rest) = self.client.issuer.split_once("://").unwrap_or_default();
        rest.split('/').next().unwrap_or_default()
    }

    /// The issuer, as tokens name it.
    pub(super) fn issuer(&self) -> &str {
        &self.client.issuer
    }

    /// Whether browsers reach this server over TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.client.public_url.starts_with("https://")
    }

    fn redirect_uri(&self) -> String {
        format!("{}/v1/sign-in/callback", self.client.public_url)
    }

    /// Where a browser is sent to sign in.
    pub(super) async fn authorization_url(&self, binding: &Binding<'_>) -> Result<String, ProviderError> {
        let endpoint = self.discovered(None).await?.endpoints.authorization_endpoint.clone();
        let scopes: Vec<&str> =
            ["openid"].into_iter().chain(self.client.scopes.iter().map(String::as_str)).collect();
        let query = written(&[
            ("response_type", "code"),
            ("client_id", &self.client.id),
            ("redirect_uri", &self.redirect_uri()),
            ("scope", &scopes.join(" ")),
            ("state", binding.state),
            ("nonce", binding.nonce),
            ("code_challenge", binding.challenge),
            ("code_challenge_method", "S256"),
        ]);
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{endpoint}{joint}{query}"))
    }

    /// What the issuer tells of the person for whom it gave a code.
    pub(super) async fn redeem(
        &self,
        code: &str,
        verifier: &str,
        nonce: &str,
    ) -> Result<Map<String, Json>, ProviderError> {
        let _place = self.places.try_acquire().map_err(|_| ProviderError::Busy)?;
        let discovered = self.discovered(None).await?;
        let tokens = self.exchange(&discovered.endpoints, code, verifier).await?;
        let expected = Expected { issuer: &self.client.issuer, client: &self.client.id, nonce };
        let read = claims::read(&tokens.id_token, &discovered.keys, &expected);
        let mut claims = match read {
            // It may have changed its keys.
            Err(ClaimsError::UnknownKey(_)) => {
                let again = self.discovered(Some(&discovered)).await?;
                claims::read(&tokens.id_token, &again.keys, &expected)?
            }
            read => read?,
        };
        if let (Some(url), Some(token)) = (&discovered.endpoints.userinfo_endpoint, &tokens.access_token) {
            let told: Map<String, Json> = self.get(url.clone(), Some(format!("Bearer {token}"))).await?;
            if claims::subject(&told) != claims::subject(&claims) {
                return Err(ProviderError::Subject);
            }
            // What was signed is believed first.
            for (claim, value) in told {
                claims.entry(claim).or_insert(value);
            }
        }
        Ok(claims)
    }

    async fn exchange(&self, at: &Endpoints, code: &str, verifier: &str) -> Result<Tokens, ProviderError> {
        let uri = self.redirect_uri();
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &uri),
            ("code_verifier", verifier),
        ];
        let methods = &at.token_endpoint_auth_methods_supported;
        let is_basic = methods.is_empty() || methods.iter().any(|method| method == "client_secret_basic");
        let authorization = match &self.client.secret {
            Some(secret) if is_basic => {
                let pair = [&self.client.id, secret].map(|part| utf8_percent_encode(part, QUERY).to_string());
                Some(format!("Basic {}", STANDARD.encode(pair.join(":"))))
            }
            secret => {
                form.push(("client_id", &self.client.id));
                form.extend(secret.as_deref().map(|secret| ("client_secret", secret)));
                None
            }
        };
        let (agent, url, form) = (self.agent.clone(), at.token_endpoint.clone(), written(&form));
        on_a_thread(url.clone(), move || {
            let mut request = agent.post(&url).header("content-type", "application/x-www-form-urlencoded");
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            let unavailable = |reason: String| ProviderError::Unavailable { url: url.clone(), reason };
            let mut answer = request.send(form).map_err(|error| unavailable(error.to_string()))?;
            let status = answer.status().as_u16();
            let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
            let body = body.map_err(|error| unavailable(error.to_string()))?;
            match status {
                200 => serde_json::from_slice(&body).map_err(|error| unavailable(error.to_string())),
                // RFC 6749, section 5.2: the code is wrong, or this server is.
                400 | 401 => Err(ProviderError::Code(refusal(&body))),
                _ => Err(unavailable(format!("status {status}"))),
            }
        })
        .await
    }

    /// What the issuer publishes, as it was a while ago; anew where it is no longer what is in `outdated`.
    async fn discovered(&self, outdated: Option<&Arc<Discovered>>) -> Result<Arc<Discovered>, ProviderError> {
        let good = |known: &Known| {
            let found = known.discovered.as_ref().filter(|found| found.at.elapsed() < BELIEVED)?;
            // Whoever makes up keys does not make the issuer be asked at every attempt.
            let is_recent = known.looked.is_some_and(|looked| looked.elapsed() < LOOK_INTERVAL);
            let is_outdated = outdated.is_some_and(|outdated| Arc::ptr_eq(outdated, found)) && !is_recent;
            (!is_outdated).then(|| Arc::clone(found))
        };
        if let Some(found) = good(&self.known()) {
            return Ok(found);
        }
        let _turn = self.looking.lock().await;
        {
            let mut known = self.known();
            if let Some(found) = good(&known) {
                return Ok(found);
            }
            if known.looked.is_some_and(|looked| looked.elapsed() < LOOK_INTERVAL) {
                let reason = "it did not a moment ago".to_owned();
                return Err(ProviderError::Unavailable { url: self.client.issuer.clone(), reason });
            }
            known.looked = Some(Instant::now());
        }
        let url = format!("{}/.well-known/openid-configuration", self.client.issuer.trim_end_matches('/'));
        let endpoints: Endpoints = self.get(url.clone(), None).await?;
        let unavailable = |reason: String| ProviderError::Unavailable { url: url.clone(), reason };
        if endpoints.issuer != self.client.issuer {
            return Err(unavailable(format!("it calls itself {:?}", endpoints.issuer)));
        }
        let named = [&endpoints.authorization_endpoint, &endpoints.token_endpoint, &endpoints.jwks_uri];
        if let Some(unsafe_one) =
            named.into_iter().chain(&endpoints.userinfo_endpoint).find(|url| !is_safe(url))
        {
            return Err(unavailable(format!("{unsafe_one:?} is not reached over TLS")));
        }
        let keys = self.get(endpoints.jwks_uri.clone(), None).await?;
        let discovered = Arc::new(Discovered { endpoints, keys, at: Instant::now() });
        self.known().discovered = Some(Arc::clone(&discovered));
        Ok(discovered)
    }

    async fn get<T: DeserializeOwned + Send + 'static>(
        &self,
        url: String,
        authorization: Option<String>,
    ) -> Result<T, ProviderError> {
        let agent = self.agent.clone();
        on_a_thread(url.clone(), move || {
            let unavailable = |reason: String| ProviderError::Unavailable { url: url.clone(), reason };
            let mut request = agent.get(&url).header("accept", "application/json");
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            let mut answer = request.call().map_err(|error| unavailable(error.to_string()))?;
            if answer.status().as_u16() != 200 {
                return Err(unavailable(format!("status {}", answer.status().as_u16())));
            }
            let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
            let body = body.map_err(|error| unavailable(error.to_string()))?;
            serde_json::from_slice(&body).map_err(|error| unavailable(error.to_string()))
        })
        .await
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls block: they are made on a thread of their own.
async fn on_a_thread<T: Send + 'static>(
    url: String,
    call: impl FnOnce() -> Result<T, ProviderError> + Send + 'static,
) -> Result<T, ProviderError> {
    match tokio::task::spawn_blocking(call).await {
        Ok(answered) => answered,
        Err(error) => Err(ProviderError::Unavailable { url, reason: error.to_string() }),
    }
}

/// Why a code was refused, in the issuer's words.
fn refusal(body: &[u8]) -> String {
    let said: Map<String, Json> = serde_json::from_slice(body).unwrap_or_default();
    let told = |name: &str| said.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    format!("{} {}", told("error"), told("error_description")).trim().to_owned()
}

fn written(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Whether nobody on the way can read or change what is fetched from there.
fn is_safe(url: &str) -> bool {
    if let Some(rest) = url.strip_prefix("https://") {
        return !rest.is_empty() && !rest.starts_with('/');
    }
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let name = if host.starts_with('[') {
        host.split_inclusive(']').next().unwrap_or_default().trim_matches(['[', ']'])
    } else {
        host.split(':').next().unwrap_or_default()
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn roots(path: &Path) -> Result<RootCerts, ClientError> {
    let failed = |reason: String| ClientError::Certificates { path: path.display().to_string(), reason };
    let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| failed(error.to_string()))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(failed("it has none".to_owned()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tls_or_this_machine_is_believed() {
        for safe in [
            "https://issuer.lab/realms/lab",
            "http://localhost:8081",
            "http://127.0.0.1/realm",
            "http://[::1]:8081/realm",
        ] {
            assert!(is_safe(safe), "{safe}");
        }
        for risky in [
            "http://issuer.lab",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example/",
            "ftp://localhost",
            "https:///x",
            "issuer.lab",
            "",
        ] {
            assert!(!is_safe(risky), "{risky}");
        }
    }

    #[test]
    fn queries_are_written_so_that_nothing_in_them_is_read_as_more() {
        assert_eq!(written(&[("a", "b c&d=é"), ("e", "-._~")]), "a=b%20c%26d%3D%C3%A9&e=-._~");
        let refused = refusal(br#"{"error": "invalid_grant", "error_description": "used"}"#);
        assert_eq!(refused, "invalid_grant used");
        assert_eq!(refusal(b"<html>"), "");
    }
}

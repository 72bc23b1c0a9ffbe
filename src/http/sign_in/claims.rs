//! What an issuer says of a person: the ID token, checked (OpenID Connect Core 1.0, section 3.1.3.7), and which roles
//! follow from it.

use std::collections::BTreeMap;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value as Json};

use super::signature;
use crate::store::access::{Role, Roles};

/// How far the clocks of the issuer and of this server may differ, in seconds.
const LEEWAY: u64 = 60;
/// Longest name of a person that is kept.
const MAX_NAME: usize = 200;

/// What an ID token is checked against.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client: &'a str,
    pub(super) nonce: &'a str,
}

/// Why an ID token is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum ClaimsError {
    #[error("the issuer has no key {0:?}")]
    UnknownKey(String),
    #[error("it is not valid: {0}")]
    Invalid(String),
    #[error("it is not the answer to this sign-in: its nonce is another")]
    Nonce,
    #[error("it is for another party: {0:?}")]
    Party(String),
}

/// The claims of an ID token of this issuer, for this client, with this nonce, signed by one of its keys, and not expired.
pub(super) fn read(
    token: &str,
    keys: &JwkSet,
    expected: &Expected<'_>,
) -> Result<Map<String, Json>, ClaimsError> {
    let invalid = |error: jsonwebtoken::errors::Error| ClaimsError::Invalid(error.to_string());
    let header = decode_header(token).map_err(invalid)?;
    if !signature::ALGORITHMS.contains(&header.alg) {
        return Err(ClaimsError::Invalid(format!("{:?} is no signature with a public key", header.alg)));
    }
    let key = match (&header.kid, keys.keys.as_slice()) {
        (Some(kid), _) => keys.find(kid).ok_or_else(|| ClaimsError::UnknownKey(kid.clone()))?,
        // An issuer with one key need not name it.
        (None, [only]) => only,
        (None, _) => return Err(ClaimsError::UnknownKey(String::new())),
    };
    let key = DecodingKey::from_jwk(key).map_err(invalid)?;
    let mut validation = Validation::new(header.alg);
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    signature::install();
    let claims = decode::<Map<String, Json>>(token, &key, &validation).map_err(invalid)?.claims;
    if claims.get("nonce").and_then(Json::as_str) != Some(expected.nonce) {
        return Err(ClaimsError::Nonce);
    }
    // Where it is for several, the one that asked for it is named.
    let party = claims.get("azp").and_then(Json::as_str);
    let is_shared = claims.get("aud").and_then(Json::as_array).is_some_and(|parties| parties.len() > 1);
    match party {
        Some(party) if party != expected.client => Err(ClaimsError::Party(party.to_owned())),
        None if is_shared => Err(ClaimsError::Party(String::new())),
        _ => Ok(claims),
    }
}

/// Who the claims are of: what the issuer calls them for ever.
pub(super) fn subject(claims: &Map<String, Json>) -> Option<&str> {
    claims.get("sub").and_then(Json::as_str).filter(|subject| !subject.is_empty() && subject.len() <= 255)
}

/// What people call them: their name and e-mail address, as far as the issuer tells; else what the issuer calls them.
pub(super) fn name(claims: &Map<String, Json>) -> String {
    let told = |claim: &str| {
        let told = claims.get(claim).and_then(Json::as_str).map(str::trim).filter(|told| !told.is_empty())?;
        Some(told.chars().filter(|character| !character.is_control()).collect::<String>())
    };
    let name = told("name").or_else(|| told("preferred_username"));
    let whole = match (name, told("email")) {
        (Some(name), Some(email)) if name != email => format!("{name} <{email}>"),
        (Some(one), _) | (None, Some(one)) => one,
        (None, None) => told("sub").unwrap_or_default(),
    };
    whole.chars().take(MAX_NAME).collect()
}

/// Which roles people get by what their issuer says of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleRules {
    /// The claim that is looked at; a dot goes into an object, as in `realm_access.roles`.
    pub claim: String,
    /// Each a rule.
    pub rules: Vec<RoleRule>,
}

/// A role for some people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRule {
    /// The value of the claim, or one of its values; `None`: everybody whom the issuer knows.
    pub value: Option<String>,
    /// The project, or [`EVERY_PROJECT`](crate::store::access::EVERY_PROJECT).
    pub project: String,
    /// The role there.
    pub role: Role,
}

impl RoleRules {
    /// The roles of a person with these claims: the strongest of each project.
    pub(super) fn roles(&self, claims: &Map<String, Json>) -> Roles {
        let values = values(claims, &self.claim);
        let mut roles: BTreeMap<String, Role> = BTreeMap::new();
        for rule in &self.rules {
            if rule.value.as_deref().is_none_or(|value| values.contains(&value)) {
                let role = roles.entry(rule.project.clone()).or_insert(rule.role);
                *role = rule.role.max(*role);
            }
        }
        Roles(roles)
    }
}

/// The strings that a claim holds: itself, or the elements of a list.
fn values<'a>(claims: &'a Map<String, Json>, claim: &str) -> Vec<&'a str> {
    // A name with dots in it, as namespaced claims have, is looked for as it stands first.
    let inside = || {
        let mut parts = claim.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |at, part| at.get(part))
    };
    match claims.get(claim).or_else(inside) {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;

    const EXPECTED: Expected<'_> =
        Expected { issuer: "https://issuer.lab", client: "tellus", nonce: "n-0S6" };

    /// An issuer with a key pair of its own.
    struct Issuer {
        pair: EcdsaKeyPair,
        random: SystemRandom,
    }

    impl Issuer {
        fn new() -> Self {
            let random = SystemRandom::new();
            let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random)
                .unwrap();
            Self { pair, random }
        }

        fn keys(&self, kid: &str) -> JwkSet {
            let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
            let [x, y] = [x, y].map(|part| URL_SAFE_NO_PAD.encode(part));
            let key = json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": x, "y": y});
            serde_json::from_value(json!({ "keys": [key] })).unwrap()
        }

        fn token(&self, header: &Json, claims: &Json) -> String {
            let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
            let message = format!("{header}.{claims}");
            let signature = self.pair.sign(&self.random, message.as_bytes()).unwrap();
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
        }
    }

    fn header() -> Json {
        json!({"alg": "ES256", "kid": "one"})
    }

    fn claims() -> Json {
        let now = chrono::Utc::now().timestamp();
        json!({
            "iss": "https://issuer.lab", "aud": "tellus", "sub": "248289761001", "nonce": "n-0S6",
            "iat": now, "exp": now + 300, "name": "Ada Lovelace", "email": "ada@lab",
        })
    }

    /// The claims with some of them replaced; null removes one.
    fn but(changes: Json) -> Json {
        let mut claims = claims();
        for (name, value) in changes.as_object().unwrap() {
            claims.as_object_mut().unwrap().insert(name.clone(), value.clone());
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        claims
    }

    #[test]
    fn a_token_of_the_issuer_for_this_client_is_taken() {
        let issuer = Issuer::new();
        for good in [
            claims(),
            but(json!({"aud": ["tellus"]})),
            but(json!({"aud": ["tellus", "other"], "azp": "tellus"})),
            but(json!({"exp": chrono::Utc::now().timestamp() - 30})),
        ] {
            let read = read(&issuer.token(&header(), &good), &issuer.keys("one"), &EXPECTED).unwrap();
            assert_eq!(subject(&read), Some("248289761001"));
        }
        let unnamed = issuer.token(&json!({"alg": "ES256"}), &claims());
        assert!(read(&unnamed, &issuer.keys("whatever"), &EXPECTED).is_ok());
    }

    #[test]
    fn whatever_is_wrong_with_a_token_refuses_it() {
        let (issuer, other) = (Issuer::new(), Issuer::new());
        let keys = issuer.keys("one");
        let now = chrono::Utc::now().timestamp();
        for wrong in [
            json!({"iss": "https://issuer.lab/"}),
            json!({"iss": null}),
            json!({"aud": "somebody else"}),
            json!({"aud": null}),
            json!({"aud": ["tellus", "other"]}),
            json!({"azp": "other"}),
            json!({"exp": now - 120}),
            json!({"exp": null}),
            json!({"exp": "9999999999999"}),
            json!({"nbf": now + 120}),
            json!({"nonce": "another"}),
            json!({"nonce": null}),
            json!({"sub": null}),
        ] {
            let refused = read(&issuer.token(&header(), &but(wrong.clone())), &keys, &EXPECTED);
            assert!(refused.is_err(), "{wrong}");
        }
        let good = issuer.token(&header(), &claims());
        let refused = |token: &str| read(token, &keys, &EXPECTED).unwrap_err();
        // Signed by somebody else, changed, without its signature.
        refused(&other.token(&header(), &claims()));
        let (message, signature) = good.rsplit_once('.').unwrap();
        refused(&format!("{message}A.{signature}"));
        refused(&format!("{message}."));
        refused(message);
        refused("");
        let unknown = issuer.token(&json!({"alg": "ES256", "kid": "two"}), &claims());
        assert_eq!(refused(&unknown), ClaimsError::UnknownKey("two".to_owned()));
        // No signature at all, and one keyed by what everybody knows.
        for algorithm in ["none", "None", "HS256", "RS256"] {
            refused(&issuer.token(&json!({"alg": algorithm, "kid": "one"}), &claims()));
        }
    }

    #[test]
    fn keys_of_other_kinds_beside_it_do_not_matter_and_are_not_taken() {
        let issuer = Issuer::new();
        let mut keys = serde_json::to_value(issuer.keys("one")).unwrap();
        let others = [
            json!({"kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "kid": "for encryption", "n": "AQAB", "e": "AQAB"}),
            json!({"kty": "OKP", "crv": "X448", "kid": "of no curve known here", "x": "AQAB"}),
            json!({"kty": "AKP", "alg": "ML-DSA-65", "kid": "of a kind to come", "pub": "AQAB"}),
            json!({"kty": "oct", "alg": "HS256", "kid": "shared", "k": "AQAB"}),
        ];
        keys["keys"].as_array_mut().unwrap().extend(others);
        let keys: JwkSet = serde_json::from_value(keys).unwrap();
        assert!(read(&issuer.token(&header(), &claims()), &keys, &EXPECTED).is_ok());
        for kid in ["for encryption", "of no curve known here", "of a kind to come", "shared"] {
            for algorithm in ["ES256", "RS256", "EdDSA", "HS256"] {
                let token = issuer.token(&json!({"alg": algorithm, "kid": kid}), &claims());
                assert!(read(&token, &keys, &EXPECTED).is_err(), "{kid} {algorithm}");
            }
        }
    }

    fn of(claims: Json) -> Map<String, Json> {
        claims.as_object().unwrap().clone()
    }

    #[test]
    fn people_are_called_by_what_the_issuer_tells() {
        assert_eq!(name(&of(claims())), "Ada Lovelace <ada@lab>");
        assert_eq!(name(&of(json!({"sub": "7", "email": "ada@lab", "name": "  "}))), "ada@lab");
        assert_eq!(name(&of(json!({"sub": "7", "preferred_username": "a\u{7}da"}))), "ada");
        assert_eq!(name(&of(json!({"sub": "7"}))), "7");
        assert_eq!(name(&of(json!({"sub": "7", "name": "x".repeat(300)}))).len(), MAX_NAME);
        assert_eq!(subject(&of(json!({"sub": ""}))), None);
    }

    #[test]
    fn the_strongest_role_of_each_project_follows_from_the_claim() {
        let rule = |value: Option<&str>, project: &str, role| RoleRule {
            value: value.map(ToOwned::to_owned),
            project: project.to_owned(),
            role,
        };
        let mut rules = RoleRules {
            claim: "groups".to_owned(),
            rules: vec![
                rule(None, "default", Role::Viewer),
                rule(Some("chemists"), "catalysis", Role::Experimenter),
                rule(Some("heads"), "catalysis", Role::Owner),
                rule(Some("chemists"), "default", Role::Experimenter),
            ],
        };
        let roles =
            |rules: &RoleRules, claims: Json| rules.roles(&of(claims)).0.into_iter().collect::<Vec<_>>();
        let is = |project: &str, role| (project.to_owned(), role);
        assert_eq!(roles(&rules, json!({})), [is("default", Role::Viewer)]);
        assert_eq!(
            roles(&rules, json!({"groups": ["heads", "chemists", 3]})),
            [is("catalysis", Role::Owner), is("default", Role::Experimenter)]
        );
        assert_eq!(roles(&rules, json!({"groups": "heads"}))[0], is("catalysis", Role::Owner));
        rules.claim = "realm_access.roles".to_owned();
        let nested = json!({"realm_access": {"roles": ["heads"]}});
        assert_eq!(roles(&rules, nested)[0], is("catalysis", Role::Owner));
        rules.claim = "https://lab/groups.v1".to_owned();
        assert_eq!(
            roles(&rules, json!({"https://lab/groups.v1": ["heads"]}))[0],
            is("catalysis", Role::Owner)
        );
        rules.rules.remove(0);
        assert!(roles(&rules, json!({"groups": ["heads"]})).is_empty());
    }
}

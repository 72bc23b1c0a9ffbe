//! How people sign in: what `tellus serve` is told of an OpenID Connect issuer.

use std::path::PathBuf;

use clap::Args;
use tellus::http::{Client, Provider, RoleRule, RoleRules, SignIn};

use super::Failure;
use super::token::role;

/// Holds the secret itself, where there is no file of it.
const SECRET: &str = "TELLUS_OIDC_CLIENT_SECRET";

/// People who sign in.
#[derive(Args)]
pub(crate) struct OpenId {
    /// Let people sign in at this OpenID Connect issuer: its URL, as it writes it in its tokens.
    #[arg(long, env = "TELLUS_OIDC_ISSUER", requires_all = ["auth", "oidc_client_id", "oidc_roles", "public_url"])]
    oidc_issuer: Option<String>,
    /// What the issuer calls this server.
    #[arg(long, env = "TELLUS_OIDC_CLIENT_ID", requires = "oidc_issuer")]
    oidc_client_id: Option<String>,
    /// The file with the client's secret, or TELLUS_OIDC_CLIENT_SECRET with the secret itself; neither for a public client.
    #[arg(long, env = "TELLUS_OIDC_CLIENT_SECRET_FILE", requires = "oidc_issuer")]
    oidc_client_secret_file: Option<PathBuf>,
    /// What to ask the issuer for, beside `openid`.
    #[arg(
        long = "oidc-scope",
        env = "TELLUS_OIDC_SCOPES",
        value_delimiter = ',',
        default_value = "profile,email"
    )]
    oidc_scopes: Vec<String>,
    /// The claim whose values give roles; a dot goes into an object, as in realm_access.roles.
    #[arg(long, env = "TELLUS_OIDC_CLAIM", default_value = "groups")]
    oidc_claim: String,
    /// A role for those with a value of the claim, as `value:project=role`; `*:default=viewer` for everybody who signs in. May
    /// be given several times.
    #[arg(long = "oidc-role", env = "TELLUS_OIDC_ROLES", value_delimiter = ',', value_parser = rule, requires = "oidc_issuer")]
    oidc_roles: Vec<RoleRule>,
    /// Certificates (PEM) that the issuer's is signed by, where browsers do not know them.
    #[arg(long, env = "TELLUS_OIDC_CA", requires = "oidc_issuer")]
    oidc_ca: Option<PathBuf>,
    /// Where people reach this server, such as https://tellus.lab; that host is served too.
    #[arg(long, env = "TELLUS_PUBLIC_URL")]
    public_url: Option<String>,
}

/// `value:project=role`. A value may have colons itself.
fn rule(text: &str) -> Result<RoleRule, String> {
    let (value, given) = text.rsplit_once(':').ok_or("a rule is given as value:project=role")?;
    let (project, role) = role(given)?;
    Ok(RoleRule { value: (value != "*").then(|| value.to_owned()), project, role })
}

impl OpenId {
    /// The host of the public URL, with its port where it has one.
    pub(crate) fn host(&self) -> Option<String> {
        let (_, rest) = self.public_url.as_deref()?.split_once("://")?;
        rest.split('/').next().map(ToOwned::to_owned)
    }

    /// How people sign in, if they do.
    ///
    /// # Errors
    /// When a URL is no good, or a file cannot be read.
    pub(crate) fn sign_in(self) -> Result<Option<SignIn>, Failure> {
        // Without the first, clap has refused the others; with it, it has asked for them.
        let (Some(issuer), Some(id), Some(public_url)) =
            (self.oidc_issuer, self.oidc_client_id, self.public_url)
        else {
            return Ok(None);
        };
        let secret = match self.oidc_client_secret_file {
            Some(path) => {
                let read = std::fs::read_to_string(&path).map_err(|source| Failure::File { path, source })?;
                Some(read.trim_end_matches(['\r', '\n']).to_owned())
            }
            None => std::env::var(SECRET).ok(),
        };
        let public_url = public_url.trim_end_matches('/').to_owned();
        let client = Client { issuer, id, secret, scopes: self.oidc_scopes, public_url };
        let provider = Provider::new(client, self.oidc_ca.as_deref())
            .map_err(|error| Failure::Argument(error.to_string()))?;
        Ok(Some(SignIn { provider, rules: RoleRules { claim: self.oidc_claim, rules: self.oidc_roles } }))
    }
}

#[cfg(test)]
mod tests {
    use tellus::store::access::Role;

    use super::*;

    #[test]
    fn rules_are_read_from_the_right() {
        let of = |value: Option<&str>, project: &str, role| RoleRule {
            value: value.map(ToOwned::to_owned),
            project: project.to_owned(),
            role,
        };
        assert_eq!(rule("chemists:catalysis=owner").unwrap(), of(Some("chemists"), "catalysis", Role::Owner));
        assert_eq!(rule("urn:lab:heads:*=admin").unwrap(), of(Some("urn:lab:heads"), "*", Role::Admin));
        assert_eq!(rule("*:default=viewer").unwrap(), of(None, "default", Role::Viewer));
        for wrong in ["chemists", "chemists:catalysis", "chemists:catalysis=boss", "heads:catalysis=admin"] {
            assert!(rule(wrong).is_err(), "{wrong}");
        }
    }
}

//! Projects, tokens and the log of changes as clients write and read them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::store::access::{AuditEntry, ProjectRecord, Quotas, Role, Roles, TokenRecord, Usage};

/// Limits of a project; null or absent: there is none. Past one, requests are 429.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectQuotas {
    /// How many studies it may have.
    #[serde(default)]
    pub studies: Option<u64>,
    /// How many trials its studies may have together.
    #[serde(default)]
    pub trials: Option<u64>,
    /// How many networks it may have.
    #[serde(default)]
    pub networks: Option<u64>,
    /// How many bytes its networks may have together.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// How many asks a minute a server answers. Each server counts by itself.
    #[serde(default)]
    pub asks_a_minute: Option<u64>,
    /// How many requests a minute a server answers, asks among them. Each server counts by itself.
    #[serde(default)]
    pub requests_a_minute: Option<u64>,
}

impl ProjectQuotas {
    /// The limits, none of them beyond what databases count to.
    pub fn limits(self) -> Result<Quotas, &'static str> {
        let quotas = Quotas {
            studies: self.studies,
            trials: self.trials,
            networks: self.networks,
            bytes: self.bytes,
            asks_a_minute: self.asks_a_minute,
            requests_a_minute: self.requests_a_minute,
        };
        let all = [
            ("/quotas/studies", quotas.studies),
            ("/quotas/trials", quotas.trials),
            ("/quotas/networks", quotas.networks),
            ("/quotas/bytes", quotas.bytes),
            ("/quotas/asks_a_minute", quotas.asks_a_minute),
            ("/quotas/requests_a_minute", quotas.requests_a_minute),
        ];
        match all.into_iter().find(|(_, limit)| limit.is_some_and(|limit| limit > 1 << 53)) {
            Some((pointer, _)) => Err(pointer),
            None => Ok(quotas),
        }
    }
}

impl From<&Quotas> for ProjectQuotas {
    fn from(quotas: &Quotas) -> Self {
        Self {
            studies: quotas.studies,
            trials: quotas.trials,
            networks: quotas.networks,
            bytes: quotas.bytes,
            asks_a_minute: quotas.asks_a_minute,
            requests_a_minute: quotas.requests_a_minute,
        }
    }
}

/// What a project has used.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct ProjectUsage {
    /// Studies.
    pub studies: u64,
    /// Trials of all of them.
    pub trials: u64,
    /// Networks.
    pub networks: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

impl From<Usage> for ProjectUsage {
    fn from(usage: Usage) -> Self {
        let Usage { studies, trials, networks, bytes } = usage;
        Self { studies, trials, networks, bytes }
    }
}

/// A project to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectRequest {
    /// 1 to 100 letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// What it may use.
    #[serde(default)]
    pub quotas: ProjectQuotas,
}

/// What changes of a project.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectPatch {
    /// Replaces all its quotas.
    pub quotas: ProjectQuotas,
}

/// A project.
#[derive(Debug, Serialize, ToSchema)]
pub struct Project {
    /// Identifies it.
    pub name: String,
    /// What it may use.
    pub quotas: ProjectQuotas,
    /// What it has used.
    pub usage: ProjectUsage,
    /// What the caller may do in it: `viewer`, `experimenter`, `owner` or `admin`.
    pub role: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

impl Project {
    /// A project as somebody with this role sees it.
    pub fn of(record: &ProjectRecord, usage: Usage, role: Role) -> Self {
        Self {
            name: record.name.clone(),
            quotas: (&record.quotas).into(),
            usage: usage.into(),
            role: role.name().into(),
            created_at: record.created_at,
        }
    }
}

/// A page of projects.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectList {
    /// By name.
    pub projects: Vec<Project>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
}

/// Which part of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProjectsQuery {
    /// Go on where the page before ended: its `next_cursor`.
    pub cursor: Option<String>,
    /// At most so many, from 1 to 1000; 100 where absent.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// `asc` or `desc`.
    pub order: Option<String>,
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// Whose it is, or what for; 1 to 200 characters.
    pub name: String,
    /// The role in each project, by its name, or `*` for every one: `viewer`, `experimenter`, `owner`, or, for `*`
    /// alone, `admin`.
    #[schema(example = json!({"default": "experimenter"}))]
    pub roles: BTreeMap<String, String>,
    /// From when on it is refused; never where absent.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// Somebody who signs in at an issuer.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenPerson {
    /// The issuer's URL.
    pub issuer: String,
    /// What the issuer calls them, for ever.
    pub subject: String,
}

/// A token, without what it is; or a person who signs in, which their sessions end with likewise.
#[derive(Debug, Serialize, ToSchema)]
pub struct Token {
    /// Identifies it.
    pub id: Uuid,
    /// Whose it is, or what for.
    pub name: String,
    /// Its first characters, by which one that leaked is found.
    pub prefix: String,
    /// The role in each project that the caller may know of.
    pub roles: BTreeMap<String, String>,
    /// The name of the token that made it.
    pub created_by: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// Since when it is refused.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to about a minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Whom it stands for, where that is a person who signs in.
    pub person: Option<TokenPerson>,
}

impl Token {
    /// A token as somebody sees it who may know of the projects for which `is_known` holds.
    pub fn of(record: &TokenRecord, is_known: impl Fn(&str) -> bool) -> Self {
        let known = record.roles.0.iter().filter(|(project, _)| is_known(project));
        Self {
            id: record.id,
            name: record.name.clone(),
            prefix: record.prefix.clone(),
            roles: known.map(|(project, role)| (project.clone(), role.name().to_owned())).collect(),
            created_by: record.created_by.clone(),
            created_at: record.created_at,
            expires_at: record.expires_at,
            revoked_at: record.revoked_at,
            last_used_at: record.last_used_at,
            person: record
                .person
                .as_ref()
                .map(|person| TokenPerson { issuer: person.issuer.clone(), subject: person.subject.clone() }),
        }
    }
}

/// A token that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewTokenAnswer {
    /// What to send as `Authorization: Bearer …`. It is shown here and never again.
    pub secret: String,
    /// What is known of it.
    pub token: Token,
}

/// A page of tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenList {
    /// By creation.
    pub tokens: Vec<Token>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
}

/// Which tokens.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TokensQuery {
    /// With a role in this project.
    pub project: Option<String>,
    /// Go on where the page before ended: its `next_cursor`.
    pub cursor: Option<String>,
    /// At most so many, from 1 to 1000; 100 where absent.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// `asc` (by creation) or `desc`.
    pub order: Option<String>,
}

/// Reads roles; every fault with its place.
pub fn read_roles(roles: &BTreeMap<String, String>) -> Result<Roles, Vec<crate::space::Fault>> {
    use crate::space::Fault;
    use crate::store::access::EVERY_PROJECT;
    let mut read = Roles::default();
    let mut faults = Vec::new();
    if roles.is_empty() {
        faults.push(Fault::new("/roles", "a token has a role in at least one project"));
    }
    for (project, name) in roles {
        let pointer = format!("/roles/{}", project.replace('~', "~0").replace('/', "~1"));
        match Role::from_name(name) {
            None => faults.push(Fault::new(pointer, "a role is viewer, experimenter, owner or admin")),
            Some(Role::Admin) if project != EVERY_PROJECT => {
                faults.push(Fault::new(pointer, "admin is a role in every project, \"*\", alone"));
            }
            Some(role) => {
                read.0.insert(project.clone(), role);
            }
        }
    }
    if faults.is_empty() { Ok(read) } else { Err(faults) }
}

/// One change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditAnswer {
    /// Identifies the entry.
    pub id: Uuid,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// The project that was changed; null: the server.
    pub project: Option<String>,
    /// The name of the token that changed it.
    pub who: String,
    /// That token's id.
    pub token: Option<Uuid>,
    /// The network address that the request came from.
    pub address: Option<String>,
    /// The request's id, which the server's log has too.
    pub request_id: Option<String>,
    /// What was done, by the operation's id: `create_study`, `tell` …
    pub action: String,
    /// The study that was changed.
    pub study: Option<Uuid>,
    /// The trial that was changed.
    pub number: Option<u64>,
    /// What there is to say beside.
    #[schema(value_type = Object)]
    pub data: Json,
}

impl From<&AuditEntry> for AuditAnswer {
    fn from(entry: &AuditEntry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            project: entry.project.clone(),
            who: entry.actor.who.clone(),
            token: entry.actor.token,
            address: entry.actor.address.clone(),
            request_id: entry.actor.request_id.clone(),
            action: entry.action.clone(),
            study: entry.study.map(|study| study.0),
            number: entry.number,
            data: entry.data.clone(),
        }
    }
}

/// A page of the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditList {
    /// By time.
    pub entries: Vec<AuditAnswer>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
}

/// Which changes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Of this project.
    pub project: Option<String>,
    /// Of this study.
    pub study: Option<Uuid>,
    /// By this token.
    pub token: Option<Uuid>,
    /// Of this action.
    pub action: Option<String>,
    /// Go on where the page before ended: its `next_cursor`.
    pub cursor: Option<String>,
    /// At most so many, from 1 to 1000; 100 where absent.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// `asc` (by time) or `desc`.
    pub order: Option<String>,
}

/// What is exported.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// This study alone, with its networks.
    pub study: Option<Uuid>,
    /// This project alone.
    pub project: Option<String>,
}

/// How an import goes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// Studies that are there already: `refuse` (409, the default) or `skip`.
    pub existing: Option<String>,
}

/// What was taken in.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportAnswer {
    /// Projects that are new.
    pub projects: u64,
    /// Networks that are new.
    pub networks: u64,
    /// Studies.
    pub studies: u64,
    /// Trials of those.
    pub trials: u64,
    /// Studies that were there already.
    pub skipped: u64,
}

impl From<crate::archive::Imported> for ImportAnswer {
    fn from(imported: crate::archive::Imported) -> Self {
        let crate::archive::Imported { projects, networks, studies, trials, skipped } = imported;
        Self { projects, networks, studies, trials, skipped }
    }
}

/// What a session begins with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// A token.
    pub token: String,
}

/// The ways in which a session can begin.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionOptions {
    /// With a token.
    pub token: bool,
    /// At an issuer of this host, by `/v1/sign-in`; null where there is none.
    pub issuer: Option<String>,
}

//! Who may do what, and who did: projects with their quotas, tokens with their roles, and the log of changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{Page, Result, Store};
use crate::study::StudyId;

/// The project that is always there.
pub const DEFAULT_PROJECT: &str = "default";
/// Stands for every project where roles are given.
pub const EVERY_PROJECT: &str = "*";

/// Whether a project may have this name: 1 to 100 letters, digits, dots, underscores and hyphens.
pub fn is_project_name(name: &str) -> bool {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    (1..=100).contains(&name.len()) && name.chars().all(is_plain)
}

/// What somebody may do in a project. Each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Creates studies, asks, tells.
    Experimenter,
    /// Deletes, gives tokens of the project, and reads its log.
    Owner,
    /// Makes projects and sets their quotas; for every project alone.
    Admin,
}

impl Role {
    /// All, the weakest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Experimenter, Self::Owner, Self::Admin];

    /// The name in requests, answers and databases.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Experimenter => "experimenter",
            Self::Owner => "owner",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Roles by project, or by [`EVERY_PROJECT`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles(pub BTreeMap<String, Role>);

impl Roles {
    /// The role in a project: the stronger one of that given there and of that given everywhere.
    pub fn of(&self, project: &str) -> Option<Role> {
        self.0.get(project).copied().max(self.everywhere())
    }

    /// The role that is given in every project, also those to come.
    pub fn everywhere(&self) -> Option<Role> {
        self.0.get(EVERY_PROJECT).copied()
    }
}

/// Limits of a project; `None`: there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// How many studies it may have.
    pub studies: Option<u64>,
    /// How many trials its studies may have together.
    pub trials: Option<u64>,
    /// How many networks it may have.
    pub networks: Option<u64>,
    /// How many bytes its networks may have together.
    pub bytes: Option<u64>,
    /// How many asks a minute one server answers.
    pub asks_a_minute: Option<u64>,
    /// How many requests a minute one server answers, asks among them.
    pub requests_a_minute: Option<u64>,
}

/// What a project has used of its quotas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Studies.
    pub studies: u64,
    /// Trials of all of them.
    pub trials: u64,
    /// Networks.
    pub networks: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectRecord {
    /// Identifies it.
    pub name: String,
    /// What it may use.
    pub quotas: Quotas,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// Somebody who signs in at an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The issuer's URL.
    pub issuer: String,
    /// What the issuer calls them, for ever.
    pub subject: String,
}

/// A token to be kept. What the token is, is not.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What its owner calls it.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// SHA-256 of the whole.
    pub hash: [u8; 32],
    /// What it may do.
    pub roles: Roles,
    /// From when on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// The token that this one, a session, stands for: what that one may not do any more, neither may this.
    pub parent: Option<Uuid>,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// Identifies it.
    pub id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// What it may do.
    pub roles: Roles,
    /// The token that this one, a session, stands for.
    pub parent: Option<Uuid>,
    /// Who made it.
    pub created_by: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
    /// Since when it is refused.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to about a minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Whom it stands for, where that is a person who signs in: nobody has such a token, but it is the parent of their sessions.
    pub person: Option<Person>,
}

/// Who makes a change, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The token, where there was one.
    pub token: Option<Uuid>,
    /// The token's name.
    pub who: String,
    /// The network address.
    pub address: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
}

/// One change, as the log keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// Identifies it; later ones are greater.
    pub id: Uuid,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// The project that was changed; `None`: the server.
    pub project: Option<String>,
    /// Who.
    pub actor: Actor,
    /// What was done: the operation's id.
    pub action: String,
    /// The study that was changed.
    pub study: Option<StudyId>,
    /// The trial that was changed.
    pub number: Option<u64>,
    /// What there is to say beside.
    pub data: Json,
}

/// Which entries of the log.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Of these projects alone.
    pub projects: Option<Vec<String>>,
    /// Of this study alone.
    pub study: Option<StudyId>,
    /// By this token alone.
    pub token: Option<Uuid>,
    /// Of this action alone.
    pub action: Option<String>,
}

/// Projects, tokens and the log: the part of a store that knows who may do what.
#[async_trait]
pub trait Access: Send + Sync {
    /// The same store, which notes each change in the log as made by `actor`, in the change's transaction.
    fn by(&self, actor: Arc<Actor>) -> Arc<dyn Store>;

    /// Creates a project.
    ///
    /// # Errors
    /// [`StoreError::ProjectTaken`](super::StoreError::ProjectTaken) where there is one of that name.
    async fn create_project(&self, name: &str, quotas: Quotas) -> Result<ProjectRecord>;

    /// A project.
    async fn project(&self, name: &str) -> Result<ProjectRecord>;

    /// A page of projects, by name; of these alone where `among` is given.
    async fn projects(&self, among: Option<&[String]>, page: &Page) -> Result<Vec<ProjectRecord>>;

    /// Replaces a project's quotas. What is there beyond them stays.
    async fn change_project(&self, name: &str, quotas: Quotas) -> Result<ProjectRecord>;

    /// Deletes a project that has neither studies nor networks.
    ///
    /// # Errors
    /// [`StoreError::ProjectInUse`](super::StoreError::ProjectInUse) where it has.
    async fn delete_project(&self, name: &str) -> Result<()>;

    /// What a project has used of its quotas.
    async fn usage(&self, project: &str) -> Result<Usage>;

    /// Keeps a token.
    async fn create_token(&self, token: NewToken) -> Result<TokenRecord>;

    /// Begins a session of a person, who gets the session's name and roles, in their other sessions too. Who is not known yet, or
    /// was revoked since, is made anew. Returns the session.
    async fn sign_in(&self, person: Person, session: NewToken) -> Result<TokenRecord>;

    /// The token of this hash, if it, and the one it stands for, may be used now; notes that it was.
    async fn use_token(&self, hash: &[u8; 32]) -> Result<Option<TokenRecord>>;

    /// A token, also one that may not be used any more.
    async fn token(&self, id: Uuid) -> Result<TokenRecord>;

    /// A page of tokens in the order of creation, without sessions; those with a role in one of these projects alone, where given.
    async fn tokens(&self, among: Option<&[String]>, page: &Page) -> Result<Vec<TokenRecord>>;

    /// Revokes a token; one that was stays as it is.
    async fn revoke_token(&self, id: Uuid) -> Result<TokenRecord>;

    /// A page of the log, by time.
    async fn audit(&self, filter: &AuditFilter, page: &Page) -> Result<Vec<AuditEntry>>;
}

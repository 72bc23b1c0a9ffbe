//! `tellus token`: tokens made, listed and revoked in the database itself, by whoever may open it. The first token of a
//! server is made here, and one is when the last admin lost theirs.

use std::io::Write;
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use clap::{Args, Subcommand};
use tellus::http::Secret;
use tellus::store::access::{
    Actor, EVERY_PROJECT, NewToken, Quotas, Role, Roles, TokenRecord, is_project_name,
};
use tellus::store::{Cursor, Page, Store, StoreError};
use uuid::Uuid;

use super::Failure;
use super::serve::Database;

/// How many tokens are read at once.
const PAGE: u32 = 1000;

/// Tokens of a database.
#[derive(Args)]
pub(crate) struct Token {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make a token, and print it: this once.
    Create {
        /// Whose it is, or what for.
        name: String,
        /// A project and the role in it, as `project=role`; `*=admin` for everything. May be given several times.
        #[arg(long = "role", value_parser = role, default_value = "*=admin")]
        roles: Vec<(String, Role)>,
        /// After how many days it is refused; never where absent.
        #[arg(long)]
        days: Option<u32>,
        #[command(flatten)]
        database: Database,
    },
    /// List tokens, without what they are.
    List {
        #[command(flatten)]
        database: Database,
    },
    /// Refuse a token from now on; running servers do so within two seconds.
    Revoke {
        /// Its id.
        id: Uuid,
        #[command(flatten)]
        database: Database,
    },
}

/// `project=role`.
pub(crate) fn role(text: &str) -> Result<(String, Role), String> {
    let (project, role) = text.split_once('=').ok_or("a role is given as project=role")?;
    let role = Role::from_name(role).ok_or("a role is viewer, experimenter, owner or admin")?;
    if role == Role::Admin && project != EVERY_PROJECT {
        return Err("admin is a role in every project alone: *=admin".to_owned());
    }
    Ok((project.to_owned(), role))
}

/// Does what is wanted of the database's tokens.
///
/// # Errors
/// When the database cannot be used, or there is no such project or token.
pub(crate) async fn token(arguments: Token) -> Result<(), Failure> {
    match arguments.action {
        Action::Create { name, roles, days, database } => create(&database, name, roles, days).await,
        Action::List { database } => list(&database).await,
        Action::Revoke { id, database } => {
            let store = open(&database).await?;
            say(&shown(&store.revoke_token(id).await?));
            Ok(())
        }
    }
}

/// The database, its log naming this command as who makes changes.
async fn open(database: &Database) -> Result<Arc<dyn Store>, Failure> {
    let actor = Actor { token: None, who: "tellus token".to_owned(), address: None, request_id: None };
    Ok(database.connect().await?.by(Arc::new(actor)))
}

async fn create(
    database: &Database,
    name: String,
    roles: Vec<(String, Role)>,
    days: Option<u32>,
) -> Result<(), Failure> {
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return Err(Failure::Argument("a token's name has 1 to 200 characters".to_owned()));
    }
    let store = open(database).await?;
    for (project, _) in roles.iter().filter(|(project, _)| project != EVERY_PROJECT) {
        match store.project(project).await {
            // Whoever may open the database may make projects.
            Err(StoreError::NoProject(_)) => {
                if !is_project_name(project) {
                    return Err(StoreError::NoProject(project.clone()).into());
                }
                store.create_project(project, Quotas::default()).await?;
            }
            found => {
                found?;
            }
        }
    }
    let expires_at = days.and_then(|days| Utc::now().checked_add_signed(TimeDelta::days(i64::from(days))));
    let secret = Secret::draw().map_err(|error| Failure::Argument(error.to_string()))?;
    let roles = Roles(roles.into_iter().collect());
    let new = NewToken { name, prefix: secret.prefix, hash: secret.hash, roles, expires_at, parent: None };
    let record = store.create_token(new).await?;
    eprintln!("{}", shown(&record));
    // Alone on standard output, for scripts.
    say(&secret.token);
    Ok(())
}

async fn list(database: &Database) -> Result<(), Failure> {
    let store = open(database).await?;
    let mut after = None;
    loop {
        let page = Page { after, limit: PAGE, descending: false };
        let tokens = store.tokens(None, &page).await?;
        for token in &tokens {
            say(&shown(token));
        }
        match tokens.last() {
            Some(last) if tokens.len() == PAGE as usize => after = Some(Cursor::Id(last.id)),
            _ => return Ok(()),
        }
    }
}

fn shown(token: &TokenRecord) -> String {
    let roles: Vec<String> =
        token.roles.0.iter().map(|(project, role)| format!("{project}={}", role.name())).collect();
    let at = |time: &str, when: Option<chrono::DateTime<Utc>>| {
        when.map(|when| format!("  {time} {}", when.format("%Y-%m-%dT%H:%M:%SZ"))).unwrap_or_default()
    };
    format!(
        "{}  {}…  {}  {}{}{}{}",
        token.id,
        token.prefix,
        token.name,
        roles.join(" "),
        at("expires", token.expires_at),
        at("revoked", token.revoked_at),
        at("used", token.last_used_at),
    )
}

/// Prints a line; nobody may be reading.
fn say(line: &str) {
    drop(writeln!(std::io::stdout(), "{line}"));
}

//! Who asks, and what they may do.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::{Cause, Problem};
use crate::store::StoreError;
use crate::store::access::{Actor, DEFAULT_PROJECT, EVERY_PROJECT, Role, Roles, TokenRecord};

/// Who asks.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) roles: Arc<Roles>,
    /// What the log says of them; nothing is logged where nobody says who they are.
    pub(super) actor: Option<Actor>,
    pub(super) token: Option<Arc<TokenRecord>>,
    /// The project that the path belongs to.
    pub(super) project: Option<String>,
}

impl Caller {
    pub(super) fn anybody() -> Self {
        let roles = Roles([(DEFAULT_PROJECT.to_owned(), Role::Owner)].into());
        Self { roles: Arc::new(roles), actor: None, token: None, project: None }
    }

    /// Who makes changes, where they are logged.
    pub(super) fn actor(&self) -> Option<&Actor> {
        self.actor.as_ref()
    }

    /// The token that came with the request.
    pub(super) fn token(&self) -> Option<&Arc<TokenRecord>> {
        self.token.as_ref()
    }

    /// The project that the path belongs to; where it belongs to none, the one that is meant where none is named.
    pub(super) fn project(&self) -> String {
        self.project.clone().unwrap_or_else(|| self.own_project())
    }

    /// The project that is meant where none is named: the only one where the caller has a role, or `default`.
    pub(super) fn own_project(&self) -> String {
        self.only_project().map_or_else(|| DEFAULT_PROJECT.to_owned(), Clone::clone)
    }

    pub(super) fn only_project(&self) -> Option<&String> {
        let mut projects = self.roles.0.keys();
        projects.next().filter(|one| projects.next().is_none() && *one != EVERY_PROJECT)
    }

    /// What the caller may do in a project.
    pub(super) fn role(&self, project: &str) -> Option<Role> {
        self.roles.of(project)
    }

    /// The projects where the caller has at least this role; `None`: all, also those to come.
    pub(super) fn projects(&self, least: Role) -> Option<Vec<String>> {
        if self.roles.everywhere() >= Some(least) {
            return None;
        }
        let enough = self.roles.0.iter().filter(|(_, role)| **role >= least);
        Some(enough.map(|(project, _)| project.clone()).collect())
    }

    /// Checks that the caller may do something in a project.
    ///
    /// # Errors
    /// [`Cause::NotFound`] where the caller has no role there, [`Cause::Forbidden`] where it is too weak.
    pub(super) fn require(&self, project: &str, least: Role) -> Result<(), Problem> {
        match self.roles.of(project) {
            None => Err(StoreError::NoProject(project.to_owned()).into()),
            Some(role) if role < least => Err(too_weak(role, least)),
            Some(_) => Ok(()),
        }
    }

    /// Checks that the caller may do something everywhere.
    ///
    /// # Errors
    /// [`Cause::Forbidden`] where they may not.
    pub(super) fn require_everywhere(&self, least: Role) -> Result<(), Problem> {
        match self.roles.everywhere() {
            Some(role) if role >= least => Ok(()),
            _ if self.token.is_none() => Err(Problem::new(
                Cause::Forbidden,
                "this server is without authentication, and has one project; start it with --auth for more",
            )),
            _ => Err(Problem::new(
                Cause::Forbidden,
                format!("this needs a token with the role {} in every project (\"*\")", least.name()),
            )),
        }
    }
}

pub(super) fn too_weak(role: Role, least: Role) -> Problem {
    let detail = format!(
        "this needs the role {} in the project, and the token has the role {}",
        least.name(),
        role.name()
    );
    Problem::new(Cause::Forbidden, detail)
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // A route outside the gate knows nobody.
        parts.extensions.get::<Self>().cloned().ok_or_else(unknown)
    }
}

pub(super) fn unknown() -> Problem {
    Problem::new(Cause::Unauthorized, "send a token: Authorization: Bearer tellus_…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_hold_where_they_are_given_and_the_stronger_counts() {
        let roles = Roles([("a".to_owned(), Role::Owner), (EVERY_PROJECT.to_owned(), Role::Viewer)].into());
        assert_eq!(roles.of("a"), Some(Role::Owner));
        assert_eq!(roles.of("b"), Some(Role::Viewer));
        let some = Caller { roles: Arc::new(roles), ..Caller::anybody() };
        assert_eq!(some.projects(Role::Viewer), None);
        assert_eq!(some.projects(Role::Owner), Some(vec!["a".to_owned()]));
        assert!(some.require("b", Role::Experimenter).is_err());
        assert_eq!(Caller::anybody().require("b", Role::Viewer).unwrap_err().status(), 404);
    }
}

//! The part of the store that knows who may do what.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::super::super::access::{
    Access, Actor, AuditEntry, AuditFilter, NewToken, Person, ProjectRecord, Quotas, TokenRecord, Usage,
};
use super::super::super::{Page, Result, Store};
use super::{ATTEMPTS, Backend, SYSTEM, may_succeed};

#[async_trait]
impl Access for Backend {
    fn by(&self, actor: Arc<Actor>) -> Arc<dyn Store> {
        Arc::new(Self { actor: Some(actor), ..self.clone() })
    }

    async fn create_project(&self, name: &str, quotas: Quotas) -> Result<ProjectRecord> {
        transact!(self.insert_project(name, &quotas))
    }

    async fn project(&self, name: &str) -> Result<ProjectRecord> {
        self.find_project(name).await
    }

    async fn projects(&self, among: Option<&[String]>, page: &Page) -> Result<Vec<ProjectRecord>> {
        self.list_projects(among, page).await
    }

    async fn change_project(&self, name: &str, quotas: Quotas) -> Result<ProjectRecord> {
        transact!(self.update_project(name, &quotas))
    }

    async fn delete_project(&self, name: &str) -> Result<()> {
        transact!(self.remove_project(name))
    }

    async fn usage(&self, project: &str) -> Result<Usage> {
        self.count_usage(project).await
    }

    async fn create_token(&self, token: NewToken) -> Result<TokenRecord> {
        transact!(self.insert_token(&token))
    }

    async fn sign_in(&self, person: Person, session: NewToken) -> Result<TokenRecord> {
        transact!(self.begin_session(&person, &session))
    }

    async fn use_token(&self, hash: &[u8; 32]) -> Result<Option<TokenRecord>> {
        self.find_usable_token(hash).await
    }

    async fn token(&self, id: Uuid) -> Result<TokenRecord> {
        self.find_token(id).await
    }

    async fn tokens(&self, among: Option<&[String]>, page: &Page) -> Result<Vec<TokenRecord>> {
        self.list_tokens(among, page).await
    }

    async fn revoke_token(&self, id: Uuid) -> Result<TokenRecord> {
        transact!(self.end_token(id))
    }

    async fn audit(&self, filter: &AuditFilter, page: &Page) -> Result<Vec<AuditEntry>> {
        self.list_audit(filter, page).await
    }
}

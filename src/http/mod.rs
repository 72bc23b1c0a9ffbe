//! Who may ask: the routes of the HTTP contract, their types, problems, and the OpenAPI document made from them.
//!
//! Everything that crosses HTTP is a type in [`types`]; it is turned into a type of [`study`](crate::study) or
//! [`space`](crate::space) by one fallible conversion that gathers all faults. Handlers translate and nothing else:
//! what is done is the [`service`](crate::service)'s and the [`store`](crate::store)'s.

mod algorithms;
mod archive;
mod audit;
mod caller;
mod charts;
mod dashboard;
mod document;
mod events;
mod extract;
mod gate;
mod guard;
mod health;
mod idempotency;
mod learned;
pub mod mcp;
mod networks;
mod problem;
mod projects;
mod rates;
mod secret;
mod session;
mod sign_in;
mod studies;
mod tokens;
mod traces;
mod trials;
pub mod types;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::service::Service;
use crate::store::IdempotencyKey;

pub use document::{document, document_json};
pub use gate::{Admission, Authentication, Origin};
pub use problem::{Cause, Problem};
pub use secret::Secret;
pub use sign_in::{Client, ClientError, Provider, RoleRule, RoleRules, SignIn};

/// Largest body of a request.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// How many imports run at once.
const MOST_IMPORTS: usize = 2;
/// How long a request may take; event streams, exports and imports are exempt.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// What the handlers share.
#[derive(Clone)]
pub struct App {
    service: Service,
    /// Hosts that requests may name beside loopback.
    allowed_hosts: Arc<Vec<String>>,
    /// Keyed requests that are being answered in this process.
    in_progress: Arc<Mutex<HashSet<IdempotencyKey>>>,
    /// Ends event streams when the server stops.
    stop: CancellationToken,
    admission: Admission,
    /// Where people sign in, if they do.
    sign_in: Option<Arc<SignIn>>,
    remembered: Arc<secret::Remembered>,
    rates: Arc<rates::Rates>,
    /// Places for imports.
    imports: Arc<Semaphore>,
}

impl App {
    /// An application on a service, for these hosts beside loopback; a port in one does not matter.
    pub fn new(service: Service, allowed_hosts: Vec<String>, stop: CancellationToken) -> Self {
        let allowed_hosts = allowed_hosts.iter().map(|host| guard::name_of(host).to_ascii_lowercase());
        let allowed_hosts = Arc::new(allowed_hosts.collect());
        Self {
            service,
            allowed_hosts,
            in_progress: Arc::default(),
            stop,
            admission: Admission::default(),
            sign_in: None,
            remembered: Arc::default(),
            rates: Arc::default(),
            imports: Arc::new(Semaphore::new(MOST_IMPORTS)),
        }
    }

    /// The same, which lets requests in like this.
    #[must_use]
    pub fn admitting(self, admission: Admission) -> Self {
        Self { admission, ..self }
    }

    /// The same, where people sign in like this.
    #[must_use]
    pub fn signing_in(self, sign_in: SignIn) -> Self {
        Self { sign_in: Some(Arc::new(sign_in)), ..self }
    }

    /// The service in the name of who asks.
    fn by(&self, caller: &caller::Caller) -> Service {
        caller.actor().map_or_else(|| self.service.clone(), |actor| self.service.by(actor.clone()))
    }
}

/// The documented routes.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(studies::create_study, studies::list_studies))
        .routes(routes!(studies::check_study))
        .routes(routes!(studies::get_study, studies::change_study, studies::delete_study))
        .routes(routes!(trials::ask))
        .routes(routes!(trials::attach_trials, trials::list_trials))
        .routes(routes!(trials::get_trial, trials::change_trial))
        .routes(routes!(trials::tell))
        .routes(routes!(trials::heartbeat))
        .routes(routes!(trials::measure))
        .routes(routes!(studies::get_best))
        .routes(routes!(networks::get_network, networks::delete_network))
        .routes(routes!(networks::solve, networks::get_solve, networks::cancel_solve))
        .merge(uploads())
        .routes(routes!(charts::get_history))
        .routes(routes!(charts::get_columns))
        .routes(routes!(charts::get_curves))
        .routes(routes!(charts::get_table))
        .routes(routes!(learned::predict))
        .routes(routes!(learned::get_insights))
        .routes(routes!(events::list_events))
        .routes(routes!(algorithms::list_algorithms))
        .routes(routes!(projects::create_project, projects::list_projects))
        .routes(routes!(projects::get_project, projects::change_project, projects::delete_project))
        .routes(routes!(tokens::create_token, tokens::list_tokens))
        .routes(routes!(tokens::get_own_token))
        .routes(routes!(sign_in::get_session_options, session::begin_session, session::end_session))
        .routes(routes!(tokens::get_token, tokens::revoke_token))
        .routes(routes!(audit::list_audit))
        .routes(routes!(archive::export_studies))
        .routes(routes!(archive::import_studies))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
}

/// The routes with larger bodies than others.
fn uploads() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(networks::create_network, networks::list_networks))
        .layer(DefaultBodyLimit::max(networks::MAX_NETWORK_BYTES))
}

/// The whole application as an axum router.
pub fn router(app: App) -> Router {
    let (router, _) = OpenApiRouter::with_openapi(document::skeleton()).merge(routes()).split_for_parts();
    let routes = router
        // What is merged after this is open to everybody: the document, the dashboard's files, and the way to the issuer.
        .route_layer(from_fn_with_state(app.clone(), gate::admit))
        .merge(document::serve())
        .merge(dashboard::serve())
        .merge(sign_in::serve())
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method);
    let api = guarded(routes, &app);
    // What a tool calls passes the same guards once more.
    guarded(mcp::serve(api.clone(), app.stop.clone()), &app).merge(api)
}

/// Routes behind everything that a request passes.
fn guarded(routes: Router<App>, app: &App) -> Router {
    routes
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(from_fn(guard::limit_time))
        .layer(from_fn_with_state(app.clone(), guard::check_host))
        .layer(from_fn_with_state(app.clone(), guard::observe))
        .with_state(app.clone())
}

//! Networks at work: loaded once, tried before they are kept, and put together for the studies that name them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Service, ServiceError, lock, numerics};
use crate::advisor::{admit_networks, network_inputs};
use crate::attack::composite::{Composite, Form};
use crate::attack::onnx::{Network, NetworkFault, Port, Quota, Workspace};
use crate::space::Fault;
use crate::store::{NetworkDescription, NetworkRecord, NewNetwork, PortDescription, StoreError};
use crate::study::{Definition, NetworkId};

/// How many loaded networks are kept.
const CAPACITY: usize = 32;
/// How long loading and a trial run may take; their work is bounded by the quota, so that this ends the waiting alone.
const TRIAL_TIME: Duration = Duration::from_secs(30);

/// Loaded networks.
#[derive(Default)]
pub(super) struct Networks(Mutex<HashMap<NetworkId, (String, Network)>>);

/// Why a network is not kept.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The file.
    #[error(transparent)]
    Fault(#[from] NetworkFault),
    /// The service or the database.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// Why the networks of a study cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum CompositeError {
    /// They do not fit the study.
    #[error("the networks do not fit the study")]
    Faults(Vec<Fault>),
    /// The service or the database.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl Service {
    /// Loads a file, tries it at the middle of nowhere (x = 0), and keeps it.
    ///
    /// # Errors
    /// What is wrong with the file, or that the service or database is not able to.
    pub async fn create_network(
        &self,
        project: String,
        name: String,
        onnx: Vec<u8>,
    ) -> Result<NetworkRecord, NetworkError> {
        let trial = self.inner.numerics.run(move || {
            let network = Network::load(&onnx, &Quota::default())?;
            let mut workspace = Workspace::default();
            network.evaluate(&vec![0.0; network.input_length()], &mut workspace);
            network.pull_back(&vec![1.0; network.output_length()], &mut workspace);
            Ok::<_, NetworkFault>((network, onnx))
        });
        let (network, onnx) = tokio::time::timeout(TRIAL_TIME, trial)
            .await
            .map_err(|_| NetworkFault::Interface("its trial run took too long".to_owned()))?
            .map_err(|_| overloaded())??;
        let description = describe(&network);
        let new = NewNetwork { project, name, onnx, description };
        let record = self.store.create_network(new).await.map_err(ServiceError::from)?;
        self.inner.networks.put(record.id, &record.project, network);
        Ok(record)
    }

    /// The networks of a study, put together; `None` where it names none.
    ///
    /// # Errors
    /// Networks that are not there or do not fit, each with its place in the study's definition.
    pub async fn composite(&self, definition: &Definition) -> Result<Option<Arc<Composite>>, CompositeError> {
        let Some(draft) = &definition.draft().network else { return Ok(None) };
        let project = &definition.draft().project;
        let phi = self.network(draft.phi, project, "/network/phi").await?;
        let goal = match (&draft.goal.network, &draft.goal.linear) {
            (Some(id), _) => Form::Network(self.network(*id, project, "/network/goal/network").await?),
            (None, linear) => Form::Linear(linear.clone().unwrap_or_default()),
        };
        let constraints = match &draft.constraints {
            None => None,
            Some(constraints) => {
                Some(self.network(constraints.network, project, "/network/constraints/network").await?)
            }
        };
        let composite = Composite::new(phi, goal, constraints, network_inputs(definition))
            .map_err(|misfit| CompositeError::Faults(vec![Fault::new("/network", misfit.to_string())]))?;
        admit_networks(definition, &composite).map_err(CompositeError::Faults)?;
        Ok(Some(Arc::new(composite)))
    }

    async fn network(&self, id: NetworkId, project: &str, pointer: &str) -> Result<Network, CompositeError> {
        if let Some(network) = self.inner.networks.get(id, project) {
            return Ok(network);
        }
        let missing =
            || CompositeError::Faults(vec![Fault::new(pointer, format!("there is no network {id}"))]);
        let store = &self.inner.store;
        let file = match store.network(id).await {
            Ok(record) if record.project == project => store.network_onnx(id).await,
            Ok(_) => return Err(missing()),
            Err(error) => Err(error),
        };
        let file = match file {
            Err(StoreError::NoNetwork(_)) => return Err(missing()),
            file => file.map_err(ServiceError::from)?,
        };
        let loaded = self.inner.numerics.run(move || Network::load(&file, &Quota::default())).await;
        let network = loaded
            .map_err(|_| overloaded())?
            .map_err(|fault| CompositeError::Faults(vec![Fault::new(pointer, fault.to_string())]))?;
        self.inner.networks.put(id, project, network.clone());
        Ok(network)
    }
}

fn overloaded() -> ServiceError {
    ServiceError::Overloaded { retry_after_seconds: numerics::RETRY_AFTER_SECONDS }
}

fn describe(network: &Network) -> NetworkDescription {
    let ports = |ports: &[Port]| {
        ports
            .iter()
            .map(|port| PortDescription { name: port.name.clone(), shape: port.shape.clone() })
            .collect()
    };
    NetworkDescription {
        inputs: ports(network.inputs()),
        outputs: ports(network.outputs()),
        gradient: network.has_gradient(),
        flat_operators: network.flat_operators().to_vec(),
        weights: network.weights(),
        work: network.work(),
    }
}

impl Networks {
    /// A network of this project: that it is loaded for another does not make it visible here.
    fn get(&self, id: NetworkId, project: &str) -> Option<Network> {
        let networks = lock(&self.0);
        let (owner, network) = networks.get(&id)?;
        (owner == project).then(|| network.clone())
    }

    fn put(&self, id: NetworkId, project: &str, network: Network) {
        let mut networks = lock(&self.0);
        if networks.len() >= CAPACITY {
            let one = networks.keys().next().copied();
            one.map(|one| networks.remove(&one));
        }
        networks.insert(id, (project.to_owned(), network));
    }
}

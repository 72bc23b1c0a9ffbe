//! Definitions that were read before. They never change, and checking one costs more than all else of a read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::study::{Definition, StudyId};

/// How many definitions are kept.
const CAPACITY: usize = 4096;

/// Definitions by study.
#[derive(Default)]
pub(crate) struct Definitions(Mutex<HashMap<StudyId, Arc<Definition>>>);

impl Definitions {
    pub(crate) fn get(&self, study: StudyId) -> Option<Arc<Definition>> {
        self.locked().get(&study).cloned()
    }

    pub(crate) fn put(&self, study: StudyId, definition: Arc<Definition>) {
        let mut definitions = self.locked();
        if definitions.len() >= CAPACITY {
            // Any one: a definition in use is soon back.
            let one = definitions.keys().next().copied();
            one.map(|one| definitions.remove(&one));
        }
        definitions.insert(study, definition);
    }

    pub(crate) fn remove(&self, study: StudyId) {
        self.locked().remove(&study);
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<StudyId, Arc<Definition>>> {
        // Every change of the map is one call, so that a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What one network may take, decided from the file's own numbers before anything is allocated or computed.

use super::NetworkFault;

/// The quotas of one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Nodes of the graph, and as many tensors.
    pub nodes: u64,
    /// Elements of one tensor.
    pub tensor_elements: u64,
    /// Elements of all constants and intermediate values together: eight bytes each, twice for a gradient.
    pub total_elements: u64,
    /// Multiplications and additions of one evaluation, and of everything that is computed while loading.
    pub work: u64,
}

impl Default for Quota {
    /// 64 MiB of file, some hundred MiB of memory, and a few seconds of one core at worst.
    fn default() -> Self {
        Self {
            file_bytes: 64 << 20,
            nodes: 20_000,
            tensor_elements: 16 << 20,
            total_elements: 48 << 20,
            work: 4_000_000_000,
        }
    }
}

/// Whether `needed` of something fits.
pub(super) fn within(what: &str, needed: u64, most: u64) -> Result<(), NetworkFault> {
    if needed > most { Err(NetworkFault::Quota { what: what.to_owned(), needed, most }) } else { Ok(()) }
}

/// How many elements a tensor of this shape has, if that is allowed.
pub(super) fn elements(shape: &[usize], name: &str, quota: &Quota) -> Result<usize, NetworkFault> {
    let mut count = 1_u64;
    for &length in shape {
        count = count.saturating_mul(length as u64);
    }
    within(&format!("the elements of tensor {name}"), count, quota.tensor_elements)?;
    usize::try_from(count).map_err(|_| NetworkFault::Truncated)
}

//! The two ways in which a host runs the storefront.

use std::path::{Path, PathBuf};

use anyhow::Result;
use ticket_rush::application::{ManagedFunction, write};
use ticket_rush::locations::Checkout;

/// The function that takes orders.
pub(super) const FUNCTION: &str = "Storefront";
/// The concurrent model, as in usher.toml.
const MANAGED: ManagedFunction = ManagedFunction {
    function: FUNCTION,
    max_concurrency: 64,
    instances: 2,
};

/// How the storefront runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    /// A process for each request in flight.
    Classic,
    /// Few processes with many requests each, as on Lambda Managed Instances.
    Concurrent,
}

impl Model {
    /// Requests that the storefront takes at the same time, for this number of clients.
    pub(super) fn capacity(self, clients: usize) -> usize {
        match self {
            Self::Classic => clients + 2,
            Self::Concurrent => (MANAGED.max_concurrency * MANAGED.instances) as usize,
        }
    }

    /// Writes template and settings into a folder. Returns the path of the template.
    pub(super) fn write(self, checkout: &Checkout, folder: &Path) -> Result<PathBuf> {
        match self {
            Self::Classic => write(checkout, folder, &[]),
            Self::Concurrent => write(checkout, folder, &[MANAGED]),
        }
    }
}

//! Function instances.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::invocation::{Invoke, Rejected, Request, Response};
use crate::model::Application;

/// Limits of the pool.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// Most instances of a function whose template names no ReservedConcurrentExecutions.
    pub default_concurrency: usize,
    /// An instance idle this long is retired.
    pub idle: Duration,
    /// Time a drain waits for invocations in flight before it kills them.
    pub drain: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self { default_concurrency: 16, idle: Duration::from_secs(300), drain: Duration::from_secs(20) }
    }
}

/// Runs functions as processes.
#[derive(Debug)]
pub struct Pool {}

impl Pool {
    /// A pool for the application's functions. Processes start with the first invocation.
    pub fn new(_app: &Application, _executables: &BTreeMap<String, PathBuf>, _options: PoolOptions) -> Arc<Self> {
        Arc::new(Self {})
    }

    /// Refuses new invocations, waits for those in flight, then ends every process.
    pub async fn shutdown(&self) {}
}

#[async_trait::async_trait]
impl Invoke for Pool {
    async fn invoke(&self, request: Request, _wait_for_slot: bool) -> Result<Response, Rejected> {
        Err(Rejected::NotFound(request.function))
    }
}

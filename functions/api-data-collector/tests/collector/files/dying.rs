//! An object store that stops at one of its requests, as if the process had been killed there.

use std::fmt;
use std::future::pending;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::Notify;

/// What happens at the chosen request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The process is killed before the request.
    KilledBefore,
    /// The process is killed after the request was made, before its answer.
    KilledAfter,
    /// The request is made, and its answer is an error.
    AnswerLost,
}

#[derive(Debug, Clone)]
pub(super) struct Dying {
    inner: Arc<dyn ObjectStore>,
    end: End,
    left: Arc<AtomicUsize>,
    killed: Arc<Notify>,
}

impl Dying {
    /// Ends at request `at`, counted from 0.
    pub(super) fn new(inner: Arc<dyn ObjectStore>, end: End, at: usize) -> Self {
        Self {
            inner,
            end,
            left: Arc::new(AtomicUsize::new(at + 1)),
            killed: Arc::default(),
        }
    }

    /// Whether the chosen request was reached.
    pub(super) fn ended(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }

    /// Runs what a process does. `None` if it was killed.
    pub(super) async fn process<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.killed.notified() => None,
        }
    }

    fn is_the_one(&self) -> bool {
        let counted = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        counted == Ok(1)
    }

    async fn kill<T>(&self) -> T {
        self.killed.notify_one();
        pending().await
    }

    async fn ending<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        if !self.is_the_one() {
            return request.await;
        }
        if self.end == End::KilledBefore {
            return self.kill().await;
        }
        let answer = request.await;
        if self.end == End::KilledAfter {
            return self.kill().await;
        }
        answer.and(Err(lost()))
    }
}

fn lost() -> object_store::Error {
    object_store::Error::Generic {
        store: "dying",
        source: "the answer was lost".into(),
    }
}

impl fmt::Display for Dying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dying({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Dying {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.ending(self.inner.put_opts(location, payload, options))
            .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.ending(self.inner.get_opts(location, options)).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let deleted = async move {
            let deletion = async {
                let deleted: Vec<_> = this.inner.delete_stream(locations).collect().await;
                Ok(deleted)
            };
            match this.ending(deletion).await {
                Ok(deleted) => stream::iter(deleted).boxed(),
                Err(error) => stream::iter([Err(error)]).boxed(),
            }
        };
        deleted.flatten_stream().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (this, prefix) = (self.clone(), prefix.cloned());
        let listed = async move {
            let list = async {
                let listed: Vec<_> = this.inner.list(prefix.as_ref()).collect().await;
                Ok(listed)
            };
            match this.ending(list).await {
                Ok(listed) => stream::iter(listed).boxed(),
                Err(error) => stream::iter([Err(error)]).boxed(),
            }
        };
        listed.flatten_stream().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

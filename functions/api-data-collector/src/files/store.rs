//! The object store: a folder, or a bucket of S3 or of a server with its API.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use lambda_batch::ErrorClass;
use object_store::path::Path;
use object_store::{Error, GetOptions, ObjectStore, PutOptions};
use parquet::errors::ParquetError;
use shared::api_calls::{CallFiles, CallOrigin, Hour, TimedCall};
use shared::naming::Names;
use shared::store::StoreError;

use super::encode::encode;
use super::schema::SCHEMA_VERSION;

/// Time limit of one object. A transaction waits for it.
const OBJECT_LIMIT: Duration = Duration::from_secs(8);

/// Files of calls in an object store, below the folder of the environment.
#[derive(Clone)]
pub struct FileStore {
    objects: Arc<dyn ObjectStore>,
    folder: Path,
}

impl FileStore {
    /// The files of an environment.
    pub fn new(objects: Arc<dyn ObjectStore>, names: &Names) -> Self {
        Self {
            objects,
            folder: names.call_files().into(),
        }
    }

    /// The content of an object.
    ///
    /// # Errors
    /// It cannot be read, or there is none.
    pub async fn get(&self, path: &str) -> Result<Bytes, StoreError> {
        let location = self.location(path);
        bounded(async {
            let found = self.objects.get_opts(&location, GetOptions::default());
            found.await?.bytes().await
        })
        .await
    }

    /// Deletes objects. One that is not there is deleted already.
    ///
    /// # Errors
    /// One cannot be deleted. Others may be.
    pub async fn delete(&self, paths: &[String]) -> Result<(), StoreError> {
        let locations: Vec<_> = paths.iter().map(|path| Ok(self.location(path))).collect();
        bounded(async {
            let mut deleted = self.objects.delete_stream(stream::iter(locations).boxed());
            while let Some(deleted) = deleted.next().await {
                match deleted {
                    Ok(_) | Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })
        .await
    }

    /// Paths of the objects in the folder of an hour.
    ///
    /// # Errors
    /// They cannot be listed.
    pub async fn list(&self, hour: Hour) -> Result<BTreeSet<String>, StoreError> {
        let folder = self.location(&hour.folder());
        let found: Vec<Path> = bounded(async {
            let objects = self.objects.list(Some(&folder));
            objects.map_ok(|object| object.location).try_collect().await
        })
        .await?;
        let below = |location: Path| {
            let parts = location.prefix_match(&self.folder)?;
            let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
            Some(parts.join("/"))
        };
        Ok(found.into_iter().filter_map(below).collect())
    }

    fn location(&self, path: &str) -> Path {
        let below = Path::from(path);
        self.folder.parts().chain(below.parts()).collect()
    }
}

impl CallFiles for FileStore {
    fn schema_version(&self) -> i32 {
        SCHEMA_VERSION
    }

    fn encode(&self, origin: &CallOrigin, calls: &[TimedCall<'_>]) -> Result<Vec<u8>, StoreError> {
        encode(origin, calls).map_err(|error| unwritable(&error))
    }

    fn put<'a>(&'a self, path: &'a str, content: Vec<u8>) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let location = self.location(path);
            bounded(async {
                let options = PutOptions::default();
                self.objects
                    .put_opts(&location, content.into(), options)
                    .await
            })
            .await
            .map(drop)
        })
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileStore({} in {})", self.folder, self.objects)
    }
}

async fn bounded<T>(
    request: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, StoreError> {
    match tokio::time::timeout(OBJECT_LIMIT, request).await {
        Ok(answer) => answer.map_err(|error| classified(&error)),
        Err(_) => Err(StoreError::of_files(
            ErrorClass::Unavailable,
            format!("no answer within {} s", OBJECT_LIMIT.as_secs()),
            "",
        )),
    }
}

/// Missing permissions and settings do not pass by themselves: they raise an alarm.
fn classified(error: &Error) -> StoreError {
    let (class, hint) = match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => (
            ErrorClass::Unknown,
            "; check API_FILES_BUCKET or API_FILES_FOLDER, and the permissions on it",
        ),
        Error::NotFound { .. } => (ErrorClass::Unknown, "; an object or its bucket is missing"),
        _ => (ErrorClass::Unavailable, ""),
    };
    StoreError::of_files(class, error.to_string(), hint)
}

/// Calls or files that cannot be encoded.
pub(super) fn unwritable(error: &ParquetError) -> StoreError {
    StoreError::of_files(ErrorClass::Unknown, error.to_string(), "")
}

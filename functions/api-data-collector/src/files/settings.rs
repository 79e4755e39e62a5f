//! Settings of the files.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use shared::access::{Access, AwsKeys, AwsSettings};
use shared::api_calls::MergeRules;
use shared::config::Reader;
use shared::https::Address;

use super::http::OneServer;

const FOLDER: &str = "API_FILES_FOLDER";
const BUCKET: &str = "API_FILES_BUCKET";
const ENDPOINT: &str = "API_FILES_ENDPOINT";
const DAY: u64 = 86_400;
/// Time limit of one attempt.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// An hour without a new call for so long is quiet.
const QUIET: Duration = Duration::from_secs(600);
/// Maximum files that are merged at a time.
const MAX_FILES: u32 = 256;

/// Where files are written, and how long they are kept.
#[derive(Debug, Clone)]
pub struct FileSettings {
    place: Place,
    /// How long a file is in the manifest.
    pub keep: Duration,
    /// How long its object stays after that.
    pub grace: Duration,
    /// When files are merged.
    pub merge: MergeRules,
}

#[derive(Debug, Clone)]
enum Place {
    Folder(PathBuf),
    Bucket {
        name: String,
        /// `None`: AWS.
        endpoint: Option<Address>,
        aws: Box<AwsSettings>,
    },
}

/// The place of the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The folder does not exist and cannot be made.
    #[error("API_FILES_FOLDER {}: {error}; give a folder that this process may write", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// There are no keys for the bucket.
    #[error(
        "API_FILES_BUCKET needs an access key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    NoKeys,
    /// The address of the region's servers cannot be built.
    #[error("AWS_REGION {0} is no part of an address")]
    Region(String),
    /// The certificates cannot be used.
    #[error(transparent)]
    Certificates(#[from] shared::access::SourceError),
    /// The store refuses its settings.
    #[error("files of API calls: {0}")]
    Store(#[from] object_store::Error),
}

impl FileSettings {
    /// Reads the variables, and those of AWS for a bucket. `None`: calls are not written as files.
    pub fn read(reader: &Reader) -> Option<Self> {
        let folder = reader.optional_text(FOLDER);
        let bucket = reader.optional_text(BUCKET);
        let endpoint = reader.optional_text(ENDPOINT).and_then(|text| {
            let address = Address::parse(&text, ENDPOINT);
            let allowed = "http://host:port or https://host of a server with the API of S3";
            address
                .map_err(|wrong| reader.refuse(ENDPOINT, wrong, allowed))
                .ok()
        });
        let keep_days = reader.integer_or("API_FILES_KEEP_DAYS", 1..=3_650, 30);
        let grace = reader.seconds_or("API_FILES_GRACE_SECONDS", 3_600..=30 * DAY, DAY);
        let target_mb: u64 = reader.integer_or("API_FILES_TARGET_MB", 1..=64, 32);
        let files = reader.integer_or("API_FILES_MERGE", 2..=MAX_FILES, 32);
        let place = match (folder, bucket) {
            (None, None) => return None,
            (Some(folder), None) => Place::Folder(folder.into()),
            (None, Some(name)) => Place::Bucket {
                name,
                endpoint,
                aws: Box::new(AwsSettings::read(reader)),
            },
            (Some(folder), Some(_)) => {
                reader.refuse(BUCKET, "is given beside API_FILES_FOLDER", "one of them");
                Place::Folder(folder.into())
            }
        };
        Some(Self {
            place,
            keep: Duration::from_secs(keep_days * DAY),
            grace,
            merge: MergeRules {
                target_bytes: target_mb << 20,
                files,
                quiet: QUIET,
                max_files: MAX_FILES,
            },
        })
    }

    /// Opens the store. A folder is made; a bucket must exist.
    pub fn open(&self, access: &Access) -> Result<Arc<dyn ObjectStore>, PlaceError> {
        match &self.place {
            Place::Folder(folder) => {
                let unusable = |error| PlaceError::Folder {
                    folder: folder.clone(),
                    error,
                };
                std::fs::create_dir_all(folder).map_err(unusable)?;
                // A row must never name an object that a crash of the machine takes back.
                let files = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
                Ok(Arc::new(files))
            }
            Place::Bucket {
                name,
                endpoint,
                aws,
            } => bucket(name, endpoint.as_ref(), aws, access),
        }
    }
}

fn bucket(
    name: &str,
    endpoint: Option<&Address>,
    aws: &AwsSettings,
    access: &Access,
) -> Result<Arc<dyn ObjectStore>, PlaceError> {
    let AwsKeys { id, secret, token } = aws.keys.as_ref().ok_or(PlaceError::NoKeys)?;
    let region = &aws.region;
    let own = if let Some(endpoint) = endpoint {
        endpoint.clone()
    } else {
        let domain = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        let address = format!("https://s3.{region}.{domain}");
        Address::parse(&address, "AWS_REGION").map_err(|_| PlaceError::Region(region.clone()))?
    };
    let client = access.https_client(&own, REQUEST_LIMIT)?;
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 3,
        retry_timeout: REQUEST_LIMIT,
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(name)
        .with_region(region)
        .with_endpoint(own.url())
        // The endpoint alone decides about TLS.
        .with_allow_http(true)
        .with_access_key_id(id)
        .with_secret_access_key(secret.expose())
        .with_retry(retry)
        .with_http_connector(OneServer(Arc::new(client)));
    if let Some(token) = token {
        builder = builder.with_token(token.expose());
    }
    Ok(Arc::new(builder.build()?))
}

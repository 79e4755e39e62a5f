//! A schema, a folder, and checks that the files have each call once.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api_data_collector::files::{self, FileSettings, FileStore, MANIFEST, Upkeep};
use bytes::Bytes;
use object_store::ObjectStore;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};
use shared::access::Access;
use shared::api_calls::{CallFiles, Caps, CollectedBatch};
use shared::config::Reader;
use shared::naming::Names;
use shared::store::{Arrival, Store, StoreError};
use sqlx::PgPool;
use tempfile::TempDir;
use testkit::postgres::drop_schema;
use testkit::servers::database_url;
use testkit::with_cleanup;

use crate::environment::appended_ms;

pub(super) const CAPS: Caps = Caps {
    routes: 100,
    clients: 100,
};

pub(super) struct FileEnvironment {
    pub(super) names: Names,
    pub(super) store: Store,
    pub(super) settings: FileSettings,
    pub(super) files: FileStore,
    pub(super) raw: PgPool,
    folder: TempDir,
}

/// Runs a test in a fresh, migrated schema and an empty folder. Every hour is quiet, no file is
/// large, and removed objects are deleted at once.
pub(super) async fn with<F: Future<Output = ()> + 'static>(
    test: impl FnOnce(FileEnvironment) -> F,
) {
    let names = Names::new(&testkit::prefix()).expect("prefix");
    let store = Store::connect(&database_url(), &names, 3).expect("a database URL");
    store
        .migrate()
        .await
        .expect("PostgreSQL is needed: `scripts/servers start postgres`, or set DATABASE_URL");
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().to_str().expect("UTF-8").to_owned();
    let mut settings = settings(&[("API_FILES_FOLDER", &path)]);
    settings.grace = Duration::ZERO;
    settings.merge.quiet = Duration::ZERO;
    let objects = settings.open(&Access::default()).expect("a folder");
    let env = FileEnvironment {
        files: FileStore::new(objects, &names),
        raw: testkit::postgres::pool(&names.schema()),
        settings,
        store,
        folder,
        names: names.clone(),
    };
    with_cleanup(test(env), drop_schema(&names.schema())).await;
}

pub(super) fn settings(vars: &[(&str, &str)]) -> FileSettings {
    let reader = Reader::new(vars.iter().copied());
    FileSettings::read(&reader).expect("a place for files")
}

/// The call at an offset: every third one an hour earlier, over several routes and callers.
pub(super) fn call(offset: i64) -> Vec<u8> {
    let pick = |of: i64| offset.rem_euclid(of);
    let route = ["/orders/{number}", "/programs"][pick(2) as usize];
    let status = [200, 404, 503][pick(3) as usize];
    let user = ["alice", "bob"][pick(2) as usize];
    let at_ms = appended_ms() - 3_600_000 * i64::from(pick(3) == 0);
    let mut call = json!({
        "v": 1, "id": format!("{offset:032x}"), "at_ms": at_ms, "method": "GET", "route": route,
        "url": format!("/orders/{offset}"), "status": status, "duration_us": 1_000 + offset,
        "client": "curl", "user": user, "instance": "i",
    });
    if pick(5) > 0 {
        call["ip"] = format!("192.0.2.{}", pick(7)).into();
    }
    call.to_string().into_bytes()
}

/// Records of a partition.
pub(super) struct Records {
    topic: String,
    partition: i32,
    values: Vec<(i64, Vec<u8>)>,
}

impl Records {
    pub(super) fn new(topic: &str, partition: i32, offsets: impl IntoIterator<Item = i64>) -> Self {
        Self {
            topic: topic.to_owned(),
            partition,
            values: offsets.into_iter().map(|n| (n, call(n))).collect(),
        }
    }

    /// Makes a record unreadable.
    pub(super) fn spoil(&mut self, at: usize) {
        self.values[at].1 = b"not JSON".to_vec();
    }

    fn arrivals(&self) -> impl Iterator<Item = Arrival<'_, shared::api_calls::ApiCall>> {
        self.values.iter().map(|(offset, value)| Arrival {
            topic: &self.topic,
            partition: self.partition,
            offset: *offset,
            appended_ms: Some(appended_ms() + offset),
            key: None,
            value: Some(value),
            message: serde_json::from_slice(value)
                .map_err(|error| lambda_batch::Reason::new(error.to_string())),
        })
    }
}

/// A call in a file: topic, partition, incarnation, offset.
pub(super) type Place = (String, i32, i32, i64);

impl FileEnvironment {
    /// The store of files, with other objects.
    pub(super) fn files_in(&self, objects: Arc<dyn ObjectStore>) -> FileStore {
        FileStore::new(objects, &self.names)
    }

    /// The folder of the environment's files.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join(self.names.call_files())
    }

    pub(super) async fn collect(&self, batch: &[Records]) -> CollectedBatch {
        self.collect_with(&self.files, batch).await
    }

    pub(super) async fn collect_with(
        &self,
        files: &dyn CallFiles,
        batch: &[Records],
    ) -> CollectedBatch {
        let arrivals: Vec<_> = batch.iter().flat_map(Records::arrivals).collect();
        self.store
            .collect_calls_as_files(&arrivals, CAPS, Some(files))
            .await
    }

    pub(super) async fn upkeep(&self) -> Result<Upkeep, StoreError> {
        files::run(&self.store, &self.files, &self.settings).await
    }

    /// Upkeep until it has no more work.
    pub(super) async fn upkeep_to_the_end(&self) {
        while self.upkeep().await.expect("upkeep").more {}
        self.upkeep().await.expect("upkeep");
    }

    pub(super) async fn number(&self, sql: &'static str) -> i64 {
        let query = sqlx::query_scalar(sql);
        query.fetch_one(&self.raw).await.expect("a number")
    }

    /// The live files as `manifest.json` lists them.
    pub(super) async fn manifest(&self) -> Vec<Value> {
        let manifest = self.files.get(MANIFEST).await.expect("a manifest");
        let mut manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
        assert_eq!(manifest["format"], 1);
        match manifest["files"].take() {
            Value::Array(files) => files,
            other => panic!("no list: {other}"),
        }
    }

    /// Paths of all objects but the manifest.
    pub(super) fn objects(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut folders = vec![self.path()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "parquet") {
                    let below = path.strip_prefix(self.path()).expect("below");
                    found.insert(below.to_str().expect("UTF-8").to_owned());
                }
            }
        }
        found
    }

    /// Checks that the live files of Postgres, and those of the manifest, have every stored call
    /// once and nothing else, and returns the number of live files.
    pub(super) async fn check(&self) -> usize {
        let change = self.store.next_manifest().await.expect("a manifest");
        let live = change.held.files.clone();
        drop(change);
        let mut places: BTreeMap<Place, usize> = BTreeMap::new();
        for file in &live {
            let content = self.files.get(&file.path).await.expect("its object");
            let rows = rows(content);
            assert_eq!(rows.len() as u64, file.group.range.calls, "{}", file.path);
            for place in rows {
                *places.entry(place).or_default() += 1;
            }
        }
        let twice: Vec<_> = places.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "twice in files: {twice:?}");
        let stored: Vec<Place> = sqlx::query_as(
            "SELECT topic, partition, incarnation, log_offset FROM api_calls c JOIN api_sources s ON s.id = c.source
             WHERE EXISTS (SELECT FROM api_files f WHERE f.removed_at IS NULL AND f.source = c.source)",
        )
        .fetch_all(&self.raw)
        .await
        .expect("stored calls");
        assert_eq!(
            places.into_keys().collect::<BTreeSet<_>>(),
            stored.into_iter().collect(),
            "calls of files, and stored ones"
        );
        let sums = "SELECT coalesce(sum(calls), 0)::bigint FROM api_minutes";
        let calls = "SELECT count(*) FROM api_calls";
        assert_eq!(self.number(sums).await, self.number(calls).await, "sums");
        live.len()
    }
}

/// The calls of a file.
pub(super) fn rows(content: Bytes) -> Vec<Place> {
    let file = SerializedFileReader::new(content).expect("a Parquet file");
    let rows = file.get_row_iter(None).expect("rows");
    rows.map(|row| {
        let row = row.expect("a row");
        let field = |name| {
            let mut columns = row.get_column_iter();
            let found = columns.find(|(column, _)| *column == name);
            found.expect("a column").1.clone()
        };
        match (
            field("topic"),
            field("partition"),
            field("incarnation"),
            field("log_offset"),
        ) {
            (
                Field::Str(topic),
                Field::Int(partition),
                Field::Int(incarnation),
                Field::Long(offset),
            ) => (topic, partition, incarnation, offset),
            other => panic!("other types: {other:?}"),
        }
    })
    .collect()
}

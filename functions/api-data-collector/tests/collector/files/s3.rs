//! A bucket on a server with the API of S3.

use api_data_collector::files::FileStore;
use shared::access::Access;
use testkit::s3::PrivateS3;

use super::environment::{FileEnvironment, Records, settings, with};

fn in_bucket(env: &mut FileEnvironment, server: &PrivateS3) {
    let in_bucket = settings(&[
        ("API_FILES_BUCKET", "calls"),
        ("API_FILES_ENDPOINT", &server.url()),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "token"),
    ]);
    let objects = in_bucket.open(&Access::default()).expect("a bucket");
    env.files = FileStore::new(objects, &env.names);
}

#[tokio::test]
async fn files_in_a_bucket_are_written_merged_and_deleted() {
    with(|mut env| async move {
        let server = PrivateS3::start("calls").await;
        in_bucket(&mut env, &server);
        for first in (0..50).step_by(10) {
            env.collect(&[Records::new("t", 0, first..first + 10)])
                .await;
        }
        assert_eq!(env.check().await, 10);
        env.upkeep_to_the_end().await;
        assert_eq!(env.check().await, 2);
        assert_eq!(env.manifest().await.len(), 2);
        let hour = |row: usize, files: &[shared::api_calls::CallFile]| files[row].group.hour;
        let live = env
            .store
            .next_manifest()
            .await
            .expect("a manifest")
            .held
            .files;
        for row in 0..2 {
            let objects = env.files.list(hour(row, &live)).await.expect("a list");
            assert_eq!(
                objects.into_iter().collect::<Vec<_>>(),
                [live[row].path.clone()]
            );
        }
    })
    .await;
}

#[tokio::test]
async fn while_the_bucket_is_away_nothing_is_counted_and_then_once() {
    with(|mut env| async move {
        let mut server = PrivateS3::start("calls").await;
        in_bucket(&mut env, &server);
        let batch = [Records::new("t", 0, 0..10)];
        server.kill();
        let failed = env.collect(&batch).await;
        let unfinished = failed.unfinished.expect("nothing is stored");
        assert_eq!((failed.added, unfinished.from), (0, 0));
        let error = unfinished.error.to_string();
        assert!(error.starts_with("object store: "), "{error}");
        assert_eq!(env.number("SELECT count(*) FROM api_minutes").await, 0);
        server.start_again().await;
        assert_eq!(env.collect(&batch).await.added, 10);
        assert_eq!(env.collect(&batch).await.added, 0);
        assert_eq!(env.check().await, 2);
    })
    .await;
}

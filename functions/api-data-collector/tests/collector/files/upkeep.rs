//! Small files are merged, old ones expire, and the manifest says which are live.

use std::time::Duration;

use super::environment::{FileEnvironment, Records, with};

/// Ten batches of a partition: a file each, all of one hour.
async fn ten_files(env: &FileEnvironment) {
    for first in 0..10 {
        let offsets = [first * 6 + 1, first * 6 + 2];
        env.collect(&[Records::new("t", 0, offsets)]).await;
    }
}

#[tokio::test]
async fn small_files_of_a_quiet_hour_become_one() {
    with(|env| async move {
        ten_files(&env).await;
        env.collect(&[Records::new("t", 1, 0..9)]).await;
        assert_eq!(env.check().await, 12);
        env.upkeep_to_the_end().await;
        assert_eq!(env.check().await, 3, "a file for each hour and partition");
        assert_eq!(env.objects().len(), 3, "the others are deleted");
        let listed = env.manifest().await;
        assert_eq!(listed.len(), 3);
        let calls: u64 = listed
            .iter()
            .filter_map(|file| file["calls"].as_u64())
            .sum();
        assert_eq!(calls, 29);
    })
    .await;
}

#[tokio::test]
async fn files_of_an_hour_in_use_are_merged_by_level() {
    with(|mut env| async move {
        env.settings.merge.quiet = Duration::from_secs(3_600);
        env.settings.merge.files = 5;
        env.settings.merge.max_files = 5;
        ten_files(&env).await;
        env.upkeep_to_the_end().await;
        assert_eq!(env.check().await, 2, "two of five");
        for more in 10..40 {
            env.collect(&[Records::new("t", 0, [more * 6 + 1])]).await;
        }
        env.upkeep_to_the_end().await;
        assert_eq!(
            env.check().await,
            4,
            "one of five times five, and three of five"
        );
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_large_enough_is_not_merged_again() {
    with(|mut env| async move {
        env.settings.merge.target_bytes = 2;
        ten_files(&env).await;
        assert!(!env.upkeep().await.expect("upkeep").more);
        assert_eq!(env.check().await, 10);
    })
    .await;
}

#[tokio::test]
async fn a_removed_object_stays_for_the_grace_period() {
    with(|mut env| async move {
        env.settings.grace = Duration::from_secs(3_600);
        ten_files(&env).await;
        env.upkeep_to_the_end().await;
        assert_eq!(env.check().await, 1);
        assert_eq!(env.objects().len(), 11);
        env.settings.grace = Duration::ZERO;
        env.upkeep_to_the_end().await;
        assert_eq!(env.objects().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_hour_that_is_too_old_disappears_with_what_was_left_in_it() {
    with(|mut env| async move {
        env.collect(&[Records::new("t", 0, 0..9)]).await;
        let path = env.path().join(env.objects().first().expect("an object"));
        std::fs::write(path.with_file_name("left.parquet"), b"by a crash").expect("written");
        env.settings.keep = Duration::from_secs(30 * 60);
        // The hour of the later calls began less than an hour ago, or it expires as well.
        env.settings.merge.target_bytes = 2;
        env.upkeep_to_the_end().await;
        let left = env.objects();
        assert!(left.len() <= 1, "{left:?}");
        env.settings.keep = Duration::ZERO;
        env.upkeep_to_the_end().await;
        assert_eq!(env.objects().len(), 0);
        assert_eq!(env.manifest().await.len(), 0);
        assert_eq!(env.number("SELECT count(*) FROM api_files").await, 0);
        assert_eq!(env.number("SELECT count(*) FROM api_calls").await, 9);
    })
    .await;
}

#[tokio::test]
async fn a_file_that_was_changed_is_not_merged() {
    with(|env| async move {
        ten_files(&env).await;
        let path = env.path().join(env.objects().first().expect("an object"));
        std::fs::write(&path, b"other bytes").expect("written");
        let error = env.upkeep().await.expect_err("a damaged file");
        assert!(error.to_string().contains("other bytes"), "{error}");
        assert_eq!(
            env.number("SELECT count(*) FROM api_files WHERE removed_at IS NULL")
                .await,
            10
        );
    })
    .await;
}

#[tokio::test]
async fn a_newer_schema_is_not_merged() {
    with(|env| async move {
        ten_files(&env).await;
        sqlx::raw_sql("UPDATE api_files SET schema_version = 2")
            .execute(&env.raw)
            .await
            .expect("a newer collector");
        env.upkeep_to_the_end().await;
        assert_eq!(env.check().await, 10);
    })
    .await;
}

#[tokio::test]
async fn of_two_processes_one_merges_a_group() {
    with(|env| async move {
        ten_files(&env).await;
        let (one, other) = tokio::join!(env.upkeep(), env.upkeep());
        // A deadlock between the two is an error of one, and the next run continues.
        assert!(one.is_ok() || other.is_ok(), "{one:?} {other:?}");
        env.upkeep_to_the_end().await;
        assert_eq!(env.check().await, 1);
        assert_eq!(env.objects().len(), 1);
    })
    .await;
}

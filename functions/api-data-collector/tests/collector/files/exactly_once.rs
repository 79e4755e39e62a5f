//! Each call is in one file, however often it is delivered.

use shared::api_calls::CallFiles;

use super::environment::{Records, with};

#[tokio::test]
async fn a_redelivered_call_is_in_one_file() {
    with(|env| async move {
        let batch = |offsets: std::ops::Range<i64>| [Records::new("t", 0, offsets)];
        assert_eq!(env.collect(&batch(0..40)).await.files, 2, "two hours");
        assert_eq!(env.collect(&batch(0..40)).await.files, 0);
        // A shorter and a longer redelivery, and one with gaps.
        env.collect(&batch(0..7)).await;
        env.collect(&batch(30..60)).await;
        env.collect(&[Records::new("t", 0, [60, 60, 76, 90])]).await;
        assert_eq!(env.check().await, 6);
    })
    .await;
}

#[tokio::test]
async fn partitions_and_a_topic_created_again_have_their_own_files() {
    with(|env| async move {
        let both = [Records::new("t", 0, 0..9), Records::new("t", 1, 0..9)];
        assert_eq!(env.collect(&both).await.files, 4);
        // Offsets begin again, and the records were appended later.
        sqlx::raw_sql("UPDATE api_progress SET appended_at = appended_at - interval '1 hour'")
            .execute(&env.raw)
            .await
            .expect("an older topic");
        let again = env.collect(&[Records::new("t", 0, 0..9)]).await;
        assert_eq!(again.recreated, [("t".to_owned(), 0)]);
        assert_eq!(again.files, 2);
        assert_eq!(env.check().await, 6);
    })
    .await;
}

#[tokio::test]
async fn the_same_calls_have_the_same_path_and_bytes() {
    with(|env| async move {
        let batch = [Records::new("t", 0, 0..9)];
        env.collect(&batch).await;
        let before = env.objects();
        // As if the transactions had been lost, and not the files.
        for table in [
            "api_files",
            "api_calls",
            "api_minutes",
            "api_progress",
            "api_sources",
        ] {
            let delete = sqlx::AssertSqlSafe(format!("DELETE FROM {table}"));
            sqlx::raw_sql(delete)
                .execute(&env.raw)
                .await
                .expect("deleted");
        }
        env.collect(&batch).await;
        assert_eq!(env.objects(), before);
        assert_eq!(env.check().await, 2);
    })
    .await;
}

#[tokio::test]
async fn an_object_that_is_to_be_deleted_is_kept_when_its_batch_is_repeated() {
    with(|env| async move {
        let batch = [Records::new("t", 0, [0, 3, 6])];
        env.collect(&batch).await;
        let path = env.objects().pop_first().expect("an object");
        // The commit was lost, and the object was found.
        sqlx::raw_sql(
            "DELETE FROM api_calls; DELETE FROM api_minutes; DELETE FROM api_progress;
             DELETE FROM api_sources;
             UPDATE api_files SET removed_at = now()",
        )
        .execute(&env.raw)
        .await
        .expect("lost");
        env.collect(&batch).await;
        env.upkeep_to_the_end().await;
        assert_eq!(env.objects().into_iter().collect::<Vec<_>>(), [path]);
        env.check().await;
    })
    .await;
}

#[tokio::test]
async fn poison_between_calls_is_in_no_file() {
    with(|env| async move {
        let mut poison = Records::new("t", 0, 0..9);
        poison.spoil(4);
        let collected = env.collect(&[poison]).await;
        assert_eq!((collected.added, collected.parked.len()), (8, 1));
        env.check().await;
        assert_eq!(env.files.schema_version(), 1);
    })
    .await;
}

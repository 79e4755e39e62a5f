//! Entries that cannot be handled are parked and delay no others.

use redis::cmd;
use redis_streams::{EntryId, GroupSettings};

use crate::environment::{GROUP, TestEnvironment, await_entries, ids, numbers, read, settings};
use testkit::until;

fn field(name: &str, value: impl AsRef<[u8]>) -> (Vec<u8>, Vec<u8>) {
    (name.as_bytes().to_vec(), value.as_ref().to_vec())
}

#[tokio::test]
async fn only_the_entry_that_kills_consumers_is_parked() {
    let environment = TestEnvironment::open();
    let ids_of = environment.publish(0..3).await;
    // Every consumer acknowledges all entries but 1, at which it dies.
    for n in 0..3 {
        let mut reader = environment.consumer(&format!("c{n}"));
        let entries = await_entries(&mut reader).await;
        assert!(numbers(&entries).contains(&1), "{entries:?}");
        let good: Vec<EntryId> = ids(&entries)
            .into_iter()
            .filter(|id| *id != ids_of[1])
            .collect();
        reader.ack(&good).await.expect("Redis runs");
    }
    let reader = tokio::sync::Mutex::new(environment.consumer("last"));
    until("set aside", || async {
        assert_eq!(
            read(&mut *reader.lock().await).await,
            [],
            "not delivered again"
        );
        environment.pending().await == 0
    })
    .await;
    assert_eq!(reader.lock().await.counts().parked, 1);
    let dead = environment.dead_letters().await;
    let expected = vec![
        field("dead:id", ids_of[1].to_string()),
        field("dead:group", GROUP),
        field("dead:deliveries", "3"),
        field("dead:reason", "delivered 3 times and never acknowledged"),
        field("n", "1"),
    ];
    assert_eq!(dead, [expected]);
}

#[tokio::test]
async fn only_the_holder_parks_an_entry_once() {
    let environment = TestEnvironment::open();
    let mut reader = environment.consumer("one");
    read(&mut reader).await;
    let mut add = cmd("XADD");
    add.arg(environment.key())
        .arg("*")
        .arg("raw")
        .arg(&b"\xff\x00"[..])
        .arg("raw")
        .arg("again")
        .arg(&b"\xfe"[..])
        .arg("");
    let url = testkit::servers::redis_url();
    let id: String = testkit::redis::run(&url, &add).expect("added");
    let id: EntryId = id.parse().expect("an id");
    let entries = await_entries(&mut reader).await;
    assert_eq!(ids(&entries), [id]);

    let other = environment.consumer("other");
    let reason = "not UTF-8";
    assert_eq!(
        other.park(&[(id, reason)]).await,
        Ok(vec![false]),
        "not its own"
    );
    assert_eq!(
        (
            environment.dead_letters().await.len(),
            environment.pending().await
        ),
        (0, 1)
    );
    assert_eq!(reader.park(&[(id, reason)]).await, Ok(vec![true]));
    assert_eq!(
        reader.park(&[(id, reason)]).await,
        Ok(vec![false]),
        "done already"
    );
    let dead = environment.dead_letters().await;
    let [words] = &dead[..] else {
        panic!("one entry: {dead:?}")
    };
    assert_eq!(words[3], field("dead:reason", "not UTF-8"));
    assert_eq!(
        words[4..],
        [
            field("raw", b"\xff\x00"),
            field("raw", "again"),
            (b"\xfe".to_vec(), vec![])
        ]
    );
    assert_eq!(environment.pending().await, 0);
}

#[tokio::test]
async fn an_entry_of_many_fields_is_parked() {
    let environment = TestEnvironment::open();
    let mut reader = environment.consumer("one");
    let mut add = cmd("XADD");
    add.arg(environment.key()).arg("*");
    for n in 0..20_000 {
        add.arg(n).arg(n);
    }
    let url = testkit::servers::redis_url();
    let _: String = testkit::redis::run(&url, &add).expect("added");
    let entries = await_entries(&mut reader).await;
    assert_eq!(entries[0].entry.fields.len(), 20_000);
    let parked = reader.park(&[(entries[0].entry.id, "too many")]).await;
    assert_eq!(parked, Ok(vec![true]));
    let dead = environment.dead_letters().await;
    assert!(dead[0][4].0 == b"dead:packed" && dead[0][4].1.len() > 100_000);
}

#[tokio::test]
async fn deleted_pending_entries_are_counted_as_lost() {
    let environment = TestEnvironment::open();
    let mut first = environment.consumer("first");
    let removed = environment.publish(0..2).await;
    await_entries(&mut first).await;
    let _: u64 = environment
        .query(&["XDEL", &environment.key(), &removed[0].to_string()])
        .await;
    let mut second = environment.consumer_with(
        "second",
        GroupSettings {
            batch: 10,
            ..settings()
        },
    );
    let taken = await_entries(&mut second).await;
    assert_eq!(numbers(&taken), [1]);
    assert_eq!(second.counts().lost, 1);
    second.ack(&ids(&taken)).await.expect("Redis runs");
    assert_eq!(environment.pending().await, 0);
}

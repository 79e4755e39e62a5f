//! What nobody can handle is set aside with its reason, and holds nobody up.

use lambda_batch::Reason;
use redis::cmd;
use redis_streams::{EntryId, GroupSettings};

use super::stage::{Streams, await_entries, ids, numbers, read, settings, until};

fn field(name: &str, value: impl AsRef<[u8]>) -> (Vec<u8>, Vec<u8>) {
    (name.as_bytes().to_vec(), value.as_ref().to_vec())
}

#[tokio::test]
async fn an_entry_that_kills_its_consumers_is_set_aside_and_the_others_are_not() {
    let streams = Streams::open();
    let ids_of = streams.publish(0..3).await;
    // Every consumer acknowledges all but entry 1, on which it dies.
    for n in 0..3 {
        let mut reader = streams.consumer(&format!("c{n}"));
        let entries = await_entries(&mut reader).await;
        assert!(numbers(&entries).contains(&1), "{entries:?}");
        let good: Vec<EntryId> = ids(&entries)
            .into_iter()
            .filter(|id| *id != ids_of[1])
            .collect();
        reader.ack(&good).await.expect("Redis runs");
    }
    let reader = tokio::sync::Mutex::new(streams.consumer("last"));
    until("set aside", || async {
        assert_eq!(
            read(&mut *reader.lock().await).await,
            [],
            "not handed out again"
        );
        streams.pending().await == 0
    })
    .await;
    assert_eq!(reader.lock().await.counts().parked, 1);
    let dead = streams.dead().await;
    let expected = vec![
        field("dead:id", ids_of[1].to_string()),
        field("dead:group", streams.group_name()),
        field("dead:deliveries", "3"),
        field("dead:reason", "delivered 3 times and never acknowledged"),
        field("n", "1"),
    ];
    assert_eq!(dead, [expected]);
}

#[tokio::test]
async fn an_entry_is_set_aside_whole_by_who_holds_it_and_once() {
    let streams = Streams::open();
    let mut reader = streams.consumer("one");
    read(&mut reader).await;
    let mut add = cmd("XADD");
    add.arg(streams.key())
        .arg("*")
        .arg("raw")
        .arg(&b"\xff\x00"[..])
        .arg("raw")
        .arg("again")
        .arg(&b"\xfe"[..])
        .arg("");
    let client = redis::Client::open(crate::stage::shared_url()).expect("an address");
    let id: String = add
        .query(&mut client.get_connection().expect("connects"))
        .expect("added");
    let id: EntryId = id.parse().expect("an id");
    let entries = await_entries(&mut reader).await;
    assert_eq!(ids(&entries), [id]);

    let stranger = streams.consumer("stranger");
    let reason = Reason::new("not\nUTF-8");
    assert_eq!(
        stranger.park(&[(id, reason.clone())]).await,
        Ok(vec![false]),
        "not its own"
    );
    assert_eq!(
        (streams.dead().await.len(), streams.pending().await),
        (0, 1)
    );
    assert_eq!(reader.park(&[(id, reason.clone())]).await, Ok(vec![true]));
    assert_eq!(
        reader.park(&[(id, reason)]).await,
        Ok(vec![false]),
        "done already"
    );
    let dead = streams.dead().await;
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
    assert_eq!(streams.pending().await, 0);
}

#[tokio::test]
async fn even_an_entry_of_very_many_fields_is_set_aside() {
    let streams = Streams::open();
    let mut reader = streams.consumer("one");
    let mut add = cmd("XADD");
    add.arg(streams.key()).arg("*");
    for n in 0..20_000 {
        add.arg(n).arg(n);
    }
    let client = redis::Client::open(crate::stage::shared_url()).expect("an address");
    add.exec(&mut client.get_connection().expect("connects"))
        .expect("added");
    let entries = await_entries(&mut reader).await;
    assert_eq!(entries[0].entry.fields.len(), 20_000);
    let parked = reader
        .park(&[(entries[0].entry.id, Reason::new("too many"))])
        .await;
    assert_eq!(parked, Ok(vec![true]));
    let dead = streams.dead().await;
    assert!(dead[0][4].0 == b"dead:packed" && dead[0][4].1.len() > 100_000);
}

#[tokio::test]
async fn pending_entries_that_something_else_removed_are_counted_as_lost() {
    let streams = Streams::open();
    let mut first = streams.consumer("first");
    let removed = streams.publish(0..2).await;
    await_entries(&mut first).await;
    let _: u64 = streams
        .ask(&["XDEL", &streams.key(), &removed[0].to_string()])
        .await;
    let mut second = streams.consumer_with(
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
    assert_eq!(streams.pending().await, 0);
}

//! Random calls at random times: no message is lost, doubled or given to two consumers at once, the
//! order within a group is kept, and a store that applies the changes restores the same state.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::change::Deduplication;
use crate::message::{Content, Delivery};
use crate::queue::Counts;

const QUEUES: [&str; 4] = ["a", "a-dead", "b.fifo", "b-dead.fifo"];
const MAX_RECEIVES: u32 = 3;

#[derive(Debug, Clone, Copy)]
enum Step {
    Send {
        queue: usize,
        group: u8,
        id: u8,
        delay: i64,
    },
    Receive {
        queue: usize,
        max: i64,
        hidden: i64,
    },
    Delete {
        received: usize,
    },
    Hide {
        received: usize,
        seconds: i64,
    },
    Wait {
        seconds: u64,
    },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2_usize, 0..3_u8, 0..12_u8, 0..3_i64).prop_map(|(at, group, id, delay)| {
            Step::Send { queue: at * 2, group, id, delay }
        }),
        4 => (0..4_usize, 1..=10_i64, 0..6_i64)
            .prop_map(|(queue, max, hidden)| Step::Receive { queue, max, hidden }),
        2 => any::<prop::sample::Index>().prop_map(|at| Step::Delete { received: at.index(64) }),
        1 => (any::<prop::sample::Index>(), 0..6_i64)
            .prop_map(|(at, seconds)| Step::Hide { received: at.index(64), seconds }),
        2 => (0..5_u64).prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::Restart),
    ]
}

/// What a store holds after the changes so far.
#[derive(Debug, Default)]
struct Store {
    queues: BTreeMap<QueueId, crate::change::QueueRecord>,
    messages: BTreeMap<(QueueId, MessageNumber), (Content, Delivery)>,
    deduplications: BTreeMap<(QueueId, String), Deduplication>,
}

impl Store {
    fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::PutQueue(id, record) => drop(self.queues.insert(id, record)),
                Change::RemoveQueue(id) => {
                    self.queues.remove(&id);
                    self.messages.retain(|(queue, _), _| *queue != id);
                    self.deduplications.retain(|(queue, _), _| *queue != id);
                }
                Change::ClearQueue(id) => self.messages.retain(|(queue, _), _| *queue != id),
                Change::AddMessage(id, number, content, delivery) => {
                    let message = ((*content).clone(), delivery);
                    assert_eq!(self.messages.insert((id, number), message), None);
                }
                Change::PutDelivery(id, number, delivery) => {
                    self.messages.get_mut(&(id, number)).unwrap().1 = delivery;
                }
                Change::RemoveMessage(id, number) => {
                    self.messages.remove(&(id, number)).unwrap();
                }
                Change::PutDeduplication(id, key, by) => {
                    self.deduplications.insert((id, key), by);
                }
                Change::RemoveDeduplication(id, key) => {
                    self.deduplications.remove(&(id, key)).unwrap();
                }
            }
        }
    }

    fn stored(&self) -> Stored {
        let queues = self.queues.clone().into_iter().collect();
        let messages = self.messages.clone().into_iter();
        let keys = self.deduplications.clone().into_iter();
        Stored {
            queues,
            messages: messages
                .map(|((id, number), (content, delivery))| (id, number, content, delivery))
                .collect(),
            deduplications: keys.map(|((id, key), by)| (id, key, by)).collect(),
        }
    }
}

#[derive(Debug)]
struct Receipt {
    queue: usize,
    message: String,
    handle: String,
    until: Millis,
}

struct Model {
    service: Queues,
    store: Store,
    now: Millis,
    random: u128,
    accepted: BTreeSet<String>,
    deleted: BTreeSet<String>,
    receipts: Vec<Receipt>,
    /// Numbers in the order in which the messages of a group were first received.
    delivered: BTreeMap<String, Vec<String>>,
}

impl Model {
    fn new() -> Self {
        let mut model = Self {
            service: Queues::new(super::case_tests::location()),
            store: Store::default(),
            now: 1_700_000_000_000,
            random: 0,
            accepted: BTreeSet::new(),
            deleted: BTreeSet::new(),
            receipts: Vec::new(),
            delivered: BTreeMap::new(),
        };
        for name in ["a-dead", "a", "b-dead.fifo", "b.fifo"] {
            let fifo = name.strip_suffix(".fifo").is_some();
            let mut attributes = serde_json::Map::new();
            if fifo {
                attributes.insert("FifoQueue".into(), "true".into());
            }
            if !name.contains("dead") {
                let dead = name.replacen(['a', 'b'], &format!("{}-dead", &name[..1]), 1);
                let policy = format!(
                    "{{\"deadLetterTargetArn\":\"arn:aws:sqs:r:1:{dead}\",\"maxReceiveCount\":{MAX_RECEIVES}}}"
                );
                attributes.insert("RedrivePolicy".into(), policy.into());
            }
            let body = serde_json::json!({ "QueueName": name, "Attributes": attributes });
            model.call("CreateQueue", &body).unwrap();
        }
        model
    }

    fn call(
        &mut self,
        action: &str,
        body: &serde_json::Value,
    ) -> Result<serde_json::Value, ApiError> {
        let request = Request::parse(&format!("AmazonSQS.{action}"), body.to_string().as_bytes())?;
        let random = &mut self.random;
        let mut context = Context {
            now: self.now,
            random: &mut || {
                *random += 1;
                *random << 64 | *random
            },
        };
        let answer = self.service.call(&request, &mut context);
        self.store.apply(self.service.take_changes());
        answer.map(|answer| strict_json::from_slice(&answer.to_json()).unwrap())
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Wait { seconds } => self.now += seconds * 1000,
            Step::Restart => {
                let restored = Queues::restore(super::case_tests::location(), self.store.stored());
                assert_eq!(restored.by_name, self.service.by_name);
                self.service = restored;
            }
            Step::Send {
                queue,
                group,
                id,
                delay,
            } => {
                let mut body = serde_json::json!({ "QueueUrl": QUEUES[queue], "MessageBody": "x" });
                if queue == 2 {
                    body["MessageGroupId"] = format!("g{group}").into();
                    body["MessageDeduplicationId"] = format!("d{id}").into();
                } else {
                    body["DelaySeconds"] = delay.into();
                }
                let sent = self.call("SendMessage", &body).unwrap();
                self.accepted
                    .insert(sent["MessageId"].as_str().unwrap().into());
            }
            Step::Receive { queue, max, hidden } => self.receive(queue, max, hidden),
            Step::Delete { received } => {
                if received < self.receipts.len() {
                    let Receipt {
                        queue,
                        message,
                        handle,
                        ..
                    } = self.receipts.remove(received);
                    let body =
                        serde_json::json!({ "QueueUrl": QUEUES[queue], "ReceiptHandle": handle });
                    let before = self.len();
                    let _ = self.call("DeleteMessage", &body);
                    if self.len() < before {
                        assert!(self.deleted.insert(message), "deleted twice");
                    }
                }
            }
            Step::Hide { received, seconds } => {
                let now = self.now;
                if let Some(receipt) = self.receipts.get_mut(received) {
                    let body = serde_json::json!({
                        "QueueUrl": QUEUES[receipt.queue], "ReceiptHandle": receipt.handle,
                        "VisibilityTimeout": seconds,
                    });
                    let (queue, handle) = (receipt.queue, receipt.handle.clone());
                    if self.call("ChangeMessageVisibility", &body).is_ok() {
                        let is_it = |one: &&mut Receipt| one.handle == handle && one.queue == queue;
                        let receipt = self.receipts.iter_mut().find(is_it).unwrap();
                        receipt.until = now + seconds as u64 * 1000;
                    }
                }
            }
        }
    }

    fn receive(&mut self, queue: usize, max: i64, hidden: i64) {
        let body = serde_json::json!({
            "QueueUrl": QUEUES[queue], "MaxNumberOfMessages": max, "VisibilityTimeout": hidden,
            "MessageSystemAttributeNames": ["All"],
        });
        let answer = self.call("ReceiveMessage", &body).unwrap();
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        assert!(messages.len() <= max as usize);
        let in_flight_groups: BTreeSet<String> = self.groups_in_flight(queue);
        for message in messages {
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            let id = text(&message["MessageId"]);
            let attributes = &message["Attributes"];
            assert!(self.accepted.contains(&id) && !self.deleted.contains(&id));
            let held = self
                .receipts
                .iter()
                .find(|one| one.message == id && one.until > self.now);
            assert!(held.is_none(), "{id} was given to two consumers at once");
            let receives: u32 = text(&attributes["ApproximateReceiveCount"])
                .parse()
                .unwrap();
            if queue.is_multiple_of(2) {
                assert!(
                    receives <= MAX_RECEIVES,
                    "{id} was received {receives} times"
                );
            }
            if queue == 2 {
                let group = text(&attributes["MessageGroupId"]);
                assert!(!in_flight_groups.contains(&group), "{group} is in flight");
                let number = text(&attributes["SequenceNumber"]);
                let order = self.delivered.entry(group).or_default();
                if receives == 1 {
                    assert!(order.last() < Some(&number), "out of order");
                    order.push(number);
                }
            }
            self.receipts
                .retain(|one| one.message != id || one.queue != queue);
            let handle = text(&message["ReceiptHandle"]);
            let until = self.now + hidden as u64 * 1000;
            self.receipts.push(Receipt {
                queue,
                message: id,
                handle,
                until,
            });
        }
    }

    fn groups_in_flight(&self, queue: usize) -> BTreeSet<String> {
        // the receive has already happened: only earlier receipts count
        let held = self
            .receipts
            .iter()
            .filter(|one| one.queue == queue && one.until > self.now);
        let content = |id: &str| {
            let mut contents = self.store.messages.values().map(|(content, _)| content);
            contents.find(|content| content.id == id)
        };
        held.filter_map(|one| content(&one.message)?.group.clone())
            .collect()
    }

    fn len(&self) -> usize {
        self.store.messages.len()
    }

    /// Every accepted message is deleted, or in exactly one queue.
    fn check(&self) {
        let present: Vec<&str> = self
            .store
            .messages
            .values()
            .map(|(content, _)| content.id.as_str())
            .collect();
        let distinct: BTreeSet<&str> = present.iter().copied().collect();
        assert_eq!(present.len(), distinct.len(), "a message is there twice");
        let expected: BTreeSet<&str> = self
            .accepted
            .difference(&self.deleted)
            .map(String::as_str)
            .collect();
        assert_eq!(distinct, expected);
        let counted = self.service.by_name.values().map(|queue| {
            let Counts {
                visible,
                in_flight,
                delayed,
            } = queue.counts(self.now);
            visible + in_flight + delayed
        });
        assert_eq!(counted.sum::<usize>(), present.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_message_is_lost_doubled_or_out_of_order(steps in prop::collection::vec(step(), 1..120)) {
        let mut model = Model::new();
        for step in steps {
            model.apply(step);
            model.check();
        }
    }
}

//! Partial batch responses of SQS.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use crate::SqsBatch;
use crate::{Ledger, Outcome, OutcomeCounts, Reason};

/// A batch; group 0 stands for none.
fn batch(groups: &[u8]) -> SqsBatch {
    let record = |(n, group): (usize, &u8)| match group {
        0 => json!({ "messageId": n.to_string(), "body": "" }),
        group => {
            json!({ "messageId": n.to_string(), "body": "", "attributes": { "MessageGroupId": group.to_string() } })
        }
    };
    let records: Vec<_> = groups.iter().enumerate().map(record).collect();
    serde_json::from_value(json!({ "Records": records })).expect("an event")
}

proptest! {
    #[test]
    fn failures_and_the_rest_of_their_groups_are_reported(messages in vec((0..4_u8, any::<bool>()), 0..40)) {
        let (groups, done): (Vec<u8>, Vec<bool>) = messages.into_iter().unzip();
        let batch = batch(&groups);
        let mut ledger = Ledger::new(&batch);
        for (n, done) in done.iter().enumerate() {
            if *done {
                ledger.note(n, Outcome::Done);
            }
        }
        let failures = ledger.response();
        let named: Vec<usize> = failures.items.iter().map(|item| item.identifier.parse().expect("an index")).collect();
        let expected: Vec<usize> = (0..groups.len())
            .filter(|n| !done[*n] || (groups[*n] != 0 && (0..*n).any(|m| groups[m] == groups[*n] && !done[m])))
            .collect();
        prop_assert_eq!(named, expected);
    }
}

#[test]
fn the_response_has_the_form_of_the_service() {
    let batch = batch(&[0, 0, 0]);
    let mut ledger = Ledger::new(&batch);
    ledger.note(0, Outcome::Done);
    ledger.note(1, Outcome::Retry(Reason::new("later")));
    ledger.note(2, Outcome::Park(Reason::new("poison")));
    ledger.parked(2);
    let response = serde_json::to_value(ledger.response()).expect("encodes");
    assert_eq!(
        response,
        json!({ "batchItemFailures": [{ "itemIdentifier": "1" }] })
    );
    assert_eq!(
        ledger.counts(),
        OutcomeCounts {
            done: 1,
            parked: 1,
            failed: 1
        }
    );
}

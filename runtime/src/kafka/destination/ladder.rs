//! Which form of a failure record a destination gets: the whole one, or the next smaller one that it takes.
//!
//! What a destination takes is not known in advance: a topic has `max.message.bytes`, a queue `MaximumMessageSize`, and a compacted topic
//! takes no record without a key. So the whole form is sent first, and a refusal that concerns the record itself leads to the next form.
//! Pure: a refusal in, the next form out.

use super::{Body, Letter};

/// Why a destination refuses this record, and would refuse it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is larger than the destination takes.
    TooLarge,
    /// It has no key, or is otherwise not what the destination accepts.
    Invalid,
}

/// One form of a failure record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// Index into [`Letter::bodies`].
    pub(super) body: usize,
    /// The key is the record's place, and there are no headers.
    pub(super) bare: bool,
}

/// The first form.
pub(super) const WHOLE: Form = Form {
    body: 0,
    bare: false,
};

impl Form {
    /// The form to send after this one was refused. `None`: there is none that differs in what was refused.
    pub(super) fn after(self, refusal: Refusal, letter: &Letter) -> Option<Self> {
        let own_key =
            (!self.bare && letter.original.is_some()).then_some(Self { bare: true, ..self });
        match refusal {
            Refusal::TooLarge if self.body + 1 < letter.bodies.len() => Some(Self {
                body: self.body + 1,
                ..self
            }),
            // the key and the headers may be what is large, or the key what is missing
            Refusal::TooLarge | Refusal::Invalid => own_key,
        }
    }

    /// Something of the record is left out.
    pub(super) fn is_reduced(self, letter: &Letter) -> bool {
        letter
            .bodies
            .get(self.body)
            .is_some_and(|body| body.reduced)
    }
}

impl Body {
    /// A document that holds everything.
    pub(super) fn whole(text: String) -> Self {
        Self {
            text,
            reduced: false,
        }
    }

    /// A document that leaves something out.
    pub(super) fn reduced(text: String) -> Self {
        Self {
            text,
            reduced: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::record::Original;

    fn letter(original: Option<Original>) -> Letter {
        let bodies = vec![Body::whole("whole".into()), Body::reduced("less".into())];
        Letter {
            bodies,
            original,
            about: "t-0 offset 1".into(),
            records: 1,
        }
    }

    fn original() -> Option<Original> {
        Original::read(
            &serde_json::json!({ "topic": "t", "partition": 0, "offset": 1, "headers": [] }),
        )
    }

    #[test]
    fn a_record_that_is_too_large_loses_its_payload_then_its_key() {
        let of_topic = letter(original());
        let second = WHOLE.after(Refusal::TooLarge, &of_topic);
        assert_eq!(
            second,
            Some(Form {
                body: 1,
                bare: false
            })
        );
        let third = second.and_then(|form| form.after(Refusal::TooLarge, &of_topic));
        assert_eq!(
            third,
            Some(Form {
                body: 1,
                bare: true
            })
        );
        assert_eq!(
            third.and_then(|form| form.after(Refusal::TooLarge, &of_topic)),
            None
        );
        assert_eq!(
            [
                WHOLE,
                Form {
                    body: 1,
                    bare: true
                }
            ]
            .map(|form| form.is_reduced(&of_topic)),
            [false, true]
        );
    }

    #[test]
    fn a_record_without_a_key_keeps_its_payload() {
        let of_topic = letter(original());
        let second = WHOLE.after(Refusal::Invalid, &of_topic);
        assert_eq!(
            second,
            Some(Form {
                body: 0,
                bare: true
            })
        );
        assert_eq!(
            second.and_then(|form| form.after(Refusal::Invalid, &of_topic)),
            None
        );
    }

    #[test]
    fn a_queue_gets_the_smaller_document_and_then_nothing() {
        let of_queue = letter(None);
        let second = WHOLE.after(Refusal::TooLarge, &of_queue);
        assert_eq!(
            second,
            Some(Form {
                body: 1,
                bare: false
            })
        );
        assert_eq!(
            second.and_then(|form| form.after(Refusal::TooLarge, &of_queue)),
            None
        );
        assert_eq!(WHOLE.after(Refusal::Invalid, &of_queue), None);
    }
}

//! The forms of a failure record, from the complete to the smallest one. Pure.
//!
//! The limits of a destination are not known in advance: a topic has `max.message.bytes`, a queue
//! `MaximumMessageSize`, and a compacted topic refuses records without a key. The complete form is
//! sent first. A refusal that concerns the record leads to the next form.

use super::{FailureRecord, Metadata};

/// Why a destination refuses a record. It would refuse the same form again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusalReason {
    /// The form exceeds a size limit.
    TooLarge,
    /// The key is missing, or another property is not allowed.
    Invalid,
}

/// The result of sending one form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Accepted,
    /// The destination refuses this form and would refuse it again. With its error text.
    Refused(RefusalReason, String),
}

/// One form of a failure record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// Index into [`FailureRecord::bodies`].
    pub(super) body: usize,
    /// Without the metadata: a topic gets the position as the key.
    pub(super) bare: bool,
}

impl Form {
    /// The first form.
    pub(super) const COMPLETE: Self = Self {
        body: 0,
        bare: false,
    };

    /// The form to send after a refusal. `None`: no further form differs in what was refused.
    pub(super) fn after(self, refusal: RefusalReason, record: &FailureRecord) -> Option<Self> {
        let has_metadata = record.metadata != Metadata::None;
        match refusal {
            RefusalReason::TooLarge if self.body + 1 < record.bodies.len() => Some(Self {
                body: self.body + 1,
                ..self
            }),
            // the metadata may exceed the limit, or lack the key
            RefusalReason::TooLarge | RefusalReason::Invalid => {
                (!self.bare && has_metadata).then_some(Self { bare: true, ..self })
            }
        }
    }

    /// The document in this form.
    pub(super) fn text(self, record: &FailureRecord) -> &str {
        record.bodies.get(self.body).map_or("", |body| &body.text)
    }

    /// Parts of the document, or the attributes, are missing.
    pub(super) fn is_reduced(self, record: &FailureRecord) -> bool {
        let body = record.bodies.get(self.body);
        body.is_some_and(|body| body.reduced)
            || (self.bare && matches!(record.metadata, Metadata::Attributes(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destinations::Body;

    fn record(metadata: Metadata) -> FailureRecord {
        FailureRecord {
            bodies: vec![
                Body::complete("complete".into()),
                Body::reduced("less".into()),
            ],
            metadata,
            position: "t-0-1".into(),
            records: 1,
        }
    }

    fn of_topic() -> FailureRecord {
        record(Metadata::KeyAndHeaders {
            key: None,
            headers: Vec::new(),
        })
    }

    fn form(body: usize, bare: bool) -> Form {
        Form { body, bare }
    }

    #[test]
    fn a_large_record_loses_payload_then_key() {
        let record = of_topic();
        let next = |form: Form| form.after(RefusalReason::TooLarge, &record);
        assert_eq!(next(Form::COMPLETE), Some(form(1, false)));
        assert_eq!(next(form(1, false)), Some(form(1, true)));
        assert_eq!(next(form(1, true)), None);
        assert_eq!(
            [Form::COMPLETE, form(1, true)].map(|form| form.is_reduced(&record)),
            [false, true]
        );
    }

    #[test]
    fn a_record_without_a_key_keeps_its_payload() {
        let record = of_topic();
        let next = |form: Form| form.after(RefusalReason::Invalid, &record);
        assert_eq!(next(Form::COMPLETE), Some(form(0, true)));
        assert_eq!(next(form(0, true)), None);
        assert!(!form(0, true).is_reduced(&record));
    }

    #[test]
    fn a_queue_gets_the_smaller_document_last() {
        let record = record(Metadata::None);
        let next = |form: Form| form.after(RefusalReason::TooLarge, &record);
        assert_eq!(next(Form::COMPLETE), Some(form(1, false)));
        assert_eq!(next(form(1, false)), None);
        assert_eq!(Form::COMPLETE.after(RefusalReason::Invalid, &record), None);
    }

    #[test]
    fn an_event_loses_its_attributes() {
        let attribute = ("RequestID", "String", "r".to_owned());
        let mut record = record(Metadata::Attributes(vec![attribute]));
        record.bodies.truncate(1);
        let next = |form: Form| form.after(RefusalReason::TooLarge, &record);
        assert_eq!(next(Form::COMPLETE), Some(form(0, true)));
        assert_eq!(next(form(0, true)), None);
        assert!(form(0, true).is_reduced(&record));
    }
}

//! A discrepancy: what it concerns and what was found. Pure.

use serde::Serialize;

/// What a discrepancy concerns. What does not apply is absent. Two passes found the same
/// discrepancy if invariant and subject are equal.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Subject {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Distinguishes orders of one number; where the discrepancy is of the gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Reference of a payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund: Option<String>,
    /// Where a record is parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
}

/// The subject of what concerns all rows.
pub(crate) fn everything() -> Subject {
    Subject::default()
}

pub(crate) fn order(number: &str) -> Subject {
    everything().order(number)
}

pub(crate) fn program(id: &str) -> Subject {
    Subject {
        program: Some(id.to_owned()),
        ..everything()
    }
}

pub(crate) fn payment(reference: &str, of_order: &str) -> Subject {
    Subject {
        payment: Some(reference.to_owned()),
        ..order(of_order)
    }
}

impl Subject {
    pub(crate) fn category(mut self, no: i64) -> Self {
        self.category = Some(no);
        self
    }

    pub(crate) fn chunk(mut self, chunk: usize) -> Self {
        self.chunk = i64::try_from(chunk).ok();
        self
    }

    pub(crate) fn seat(mut self, seat: i64) -> Self {
        self.seat = Some(seat);
        self
    }

    pub(crate) fn order(mut self, number: &str) -> Self {
        self.order = Some(number.to_owned());
        self
    }

    pub(crate) fn nonce(mut self, nonce: &str) -> Self {
        self.nonce = Some(nonce.to_owned());
        self
    }

    pub(crate) fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// `text` says what was found, and where.
    pub(crate) fn found(self, text: String) -> Finding {
        Finding {
            subject: self,
            found: text,
            for_person: None,
        }
    }
}

/// One discrepancy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub subject: Subject,
    /// What was found, and where.
    pub found: String,
    /// What a person does about it, where `ticket-mend` repairs others of this invariant.
    pub for_person: Option<&'static str>,
}

impl Finding {
    /// The same for a person, who does this about it: `ticket-mend` refuses it.
    pub(crate) fn for_person(mut self, remedy: &'static str) -> Self {
        self.for_person = Some(remedy);
        self
    }
}

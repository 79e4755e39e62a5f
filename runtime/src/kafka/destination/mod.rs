//! Where records go that a mapping gives up: a queue, or a topic of the same cluster.
//!
//! `history` remembers what was tried with the records of each partition; when the machine gives some up, `document` writes
//! what the service would say of them, whole and in a smaller form; the [`Outlet`] (`client`) delivers it, and `ladder` chooses the form
//! that the destination takes.
//!
//! Promises: the answer is yes only after the queue or the brokers have everything, or refuse it in every form; asked again, it sends
//! again, so a letter may come twice. A record that fits no form is given up with an alarm, and never blocks its partition. A destination
//! that takes nothing at all keeps the partition waiting.

mod client;
mod document;
mod history;
mod ladder;
#[cfg(test)]
pub(super) mod tests;

use super::record::Original;
pub(super) use client::Outlet;
pub(super) use document::{Context, GivenUp, letters};
pub(super) use history::{History, Tried};

/// What is delivered for records that were given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    /// The document, from the whole one to the smallest; at least one.
    pub(super) bodies: Vec<Body>,
    /// The record that it is about; only where there is a letter for each.
    pub(super) original: Option<Original>,
    /// `topic-partition-offset` of the record, or of the first of several.
    pub(super) about: String,
    /// How many records it is about.
    pub(super) records: usize,
}

/// A document in one of its forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Body {
    /// JSON.
    pub(super) text: String,
    /// It leaves out what the whole form has.
    pub(super) reduced: bool,
}

impl Letter {
    fn text(&self, form: ladder::Form) -> &str {
        self.bodies.get(form.body).map_or("", |body| &body.text)
    }
}

/// What a delivery came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Delivered {
    /// Letters that were taken in a smaller form only.
    pub(super) reduced: u64,
    /// Letters that the destination refuses in every form.
    pub(super) lost: Vec<Lost>,
}

/// A letter that no form of fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    /// [`Letter::about`].
    pub(super) about: String,
    /// Records that it was about.
    pub(super) records: u64,
    /// The destination's words.
    pub(super) why: String,
}

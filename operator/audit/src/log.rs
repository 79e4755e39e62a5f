//! Client logs: one JSON object per line, written by clients about their requests and the answers.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::tables::Known;

/// Code of the error with an unknown result: the order may or may not be stored.
const UNKNOWN: &str = "unknown_repeat_with_same_key";

/// One line. `http` is the status code, 0 without an answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Event {
    /// A program was opened for sale.
    Sale { program: String },
    /// An answer to "order these seats".
    Order(Ordered),
    /// An answer to "show me this order".
    Seen {
        order: String,
        http: u16,
        status: Option<String>,
    },
    /// An answer to "cancel this order".
    Cancel { order: String },
    /// An answer to a payment provider's webhook.
    Pay(Paid),
    /// The record of this order was deleted from Kafka before order-create read it.
    Deleted { order: String },
    /// A payment provider takes the refunds of this sale.
    Provider,
    /// The provider has returned money, once for this key.
    Refund(Returned),
}

/// Money that the provider has returned.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Returned {
    pub key: String,
    pub reference: String,
    /// The order that the request named.
    pub order: String,
    pub amount_cents: i64,
}

/// An answer to "order these seats".
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Ordered {
    pub user: String,
    pub program: String,
    pub key: Option<String>,
    pub http: u16,
    pub code: Option<String>,
    pub order: Option<String>,
    #[serde(default)]
    pub seats: Vec<i64>,
    pub amount_cents: Option<i64>,
}

impl Ordered {
    /// The number of the accepted order.
    pub(crate) fn accepted(&self) -> Option<&str> {
        self.order
            .as_deref()
            .filter(|_| matches!(self.http, 200..=299))
    }

    /// Whether the result is unknown: no answer, a gateway's error, or "unknown, repeat with the
    /// same key".
    pub(crate) fn unknown(&self) -> bool {
        match self.http {
            0 | 500 | 502 | 504 => true,
            503 => self.code.as_deref().is_none_or(|c| c == UNKNOWN),
            _ => false,
        }
    }
}

/// An answer to a payment.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Paid {
    pub order: String,
    pub reference: String,
    pub amount_cents: i64,
    pub http: u16,
    pub result: Option<String>,
    pub code: Option<String>,
}

impl Paid {
    /// The payment that it names.
    pub(crate) fn known(&self) -> Known<'_> {
        (&self.reference, &self.order, self.amount_cents)
    }

    /// The answer says that the payment is recorded.
    pub(crate) fn recorded(&self) -> bool {
        self.http == 200 || self.reused()
    }

    /// The answer says that another payment has the reference, and that this one is to be refunded.
    pub(crate) fn reused(&self) -> bool {
        self.http == 409 && self.code.as_deref() == Some("payment_reference_reused")
    }
}

/// All events of the clients.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub events: Vec<Event>,
}

impl Log {
    pub(crate) fn orders(&self) -> impl Iterator<Item = &Ordered> {
        self.events.iter().filter_map(|e| {
            if let Event::Order(o) = e {
                Some(o)
            } else {
                None
            }
        })
    }

    pub(crate) fn payments(&self) -> impl Iterator<Item = &Paid> {
        self.events
            .iter()
            .filter_map(|e| if let Event::Pay(p) = e { Some(p) } else { None })
    }

    /// What the provider has returned.
    pub(crate) fn returned(&self) -> impl Iterator<Item = &Returned> {
        self.events.iter().filter_map(|event| match event {
            Event::Refund(refund) => Some(refund),
            _ => None,
        })
    }

    /// Whether a provider takes refunds.
    pub(crate) fn has_provider(&self) -> bool {
        let mut events = self.events.iter();
        events.any(|event| matches!(event, Event::Provider))
    }

    /// Orders that a buyer tried to cancel, whatever the answer.
    pub(crate) fn cancelled(&self) -> BTreeSet<&str> {
        self.events
            .iter()
            .filter_map(|e| {
                if let Event::Cancel { order, .. } = e {
                    Some(order.as_str())
                } else {
                    None
                }
            })
            .collect()
    }

    /// Orders whose unread records were deleted.
    pub(crate) fn deleted(&self) -> BTreeSet<&str> {
        let deleted = self.events.iter().filter_map(|event| match event {
            Event::Deleted { order } => Some(order.as_str()),
            _ => None,
        });
        deleted.collect()
    }

    /// Orders that were answered as paid.
    pub(crate) fn answered_paid(&self) -> BTreeSet<&str> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Seen {
                    order,
                    http: 200,
                    status: Some(status),
                } if status == "paid" => Some(order.as_str()),
                Event::Pay(p) if p.http == 200 && p.result.as_deref() == Some("applied") => {
                    Some(p.order.as_str())
                }
                _ => None,
            })
            .collect()
    }

    /// Programs that clients opened or ordered from.
    pub(crate) fn programs(&self) -> BTreeSet<&str> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Sale { program, .. } => Some(program.as_str()),
                Event::Order(o) => Some(o.program.as_str()),
                _ => None,
            })
            .collect()
    }
}

/// Reads a file, or every `*.jsonl` of a folder. Fails on a line that cannot be read, because an
/// incomplete log proves nothing.
pub(crate) fn read(path: &Path) -> Result<Log> {
    let mut log = Log::default();
    let files =
        files(path).with_context(|| format!("client logs {} cannot be listed", path.display()))?;
    ensure!(!files.is_empty(), "no *.jsonl file in {}", path.display());
    for file in files {
        let text = fs::read_to_string(&file)
            .with_context(|| format!("client log {} cannot be read", file.display()))?;
        for (i, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let event = serde_json::from_str(line)
                .with_context(|| format!("{}:{}", file.display(), i + 1))?;
            log.events.push(event);
        }
    }
    ensure!(
        !log.events.is_empty(),
        "the client logs in {} are empty",
        path.display()
    );
    Ok(log)
}

fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files: Vec<PathBuf> = fs::read_dir(path)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|f| f.extension().is_some_and(|e| e == "jsonl"));
    files.sort();
    Ok(files)
}

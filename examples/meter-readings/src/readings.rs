//! Readings: decoded from the event, checked all before any is written.

use std::collections::BTreeMap;
use std::io::Write;

use base64::Engine as _;
use serde::{Deserialize, Serialize};

/// What Kafka's mapping hands over; the rest of the event does not matter here.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    records: BTreeMap<String, Vec<Record>>,
}

#[derive(Debug, Deserialize)]
struct Record {
    offset: i64,
    value: Option<String>,
}

/// What a meter says.
#[derive(Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Reading {
    meter: String,
    at: String,
    /// Watt hours since the meter was installed.
    wh: i64,
}

/// A line of the ledger.
#[derive(Debug, Serialize)]
struct Line<'a> {
    partition: &'a str,
    offset: i64,
    #[serde(flatten)]
    reading: Reading,
}

/// Why a batch is refused. It names the first bad reading; the host finds it again by halving.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{partition} offset {offset}: {why}")]
    Reading {
        partition: String,
        offset: i64,
        why: String,
    },
    #[error("the ledger cannot be written: {0}")]
    Ledger(#[from] std::io::Error),
}

/// Checks every reading, then writes all in one piece. The number of readings.
pub(crate) fn record(event: &Event, mut ledger: impl Write) -> Result<usize, Refused> {
    let mut lines = Vec::new();
    let mut count = 0;
    for (partition, records) in &event.records {
        for record in records {
            let refuse = |why: String| Refused::Reading {
                partition: partition.clone(),
                offset: record.offset,
                why,
            };
            let reading = read(record.value.as_deref().unwrap_or_default()).map_err(refuse)?;
            let line = Line {
                partition,
                offset: record.offset,
                reading,
            };
            serde_json::to_writer(&mut lines, &line).map_err(std::io::Error::from)?;
            lines.push(b'\n');
            count += 1;
        }
    }
    // Lines of two processes do not mix: one write.
    ledger.write_all(&lines)?;
    Ok(count)
}

fn read(value: &str) -> Result<Reading, String> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(value)
        .map_err(|error| error.to_string())?;
    let reading: Reading = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    if reading.wh < 0 {
        return Err(format!(
            "meter {} says {} Wh, and no meter runs below zero",
            reading.meter, reading.wh
        ));
    }
    Ok(reading)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(values: &[&str]) -> Event {
        let encode = |value: &&str| Some(base64::engine::general_purpose::STANDARD.encode(value));
        let records = values.iter().enumerate().map(|(at, value)| Record {
            offset: at as i64,
            value: encode(value),
        });
        Event {
            records: BTreeMap::from([("t-0".to_owned(), records.collect())]),
        }
    }

    const GOOD: &str = r#"{"meter": "m", "at": "2026-01-01T00:00:00Z", "wh": 5}"#;

    #[test]
    fn good_readings_become_lines() {
        let mut ledger = Vec::new();
        assert_eq!(record(&event(&[GOOD, GOOD]), &mut ledger).ok(), Some(2));
        let lines = String::from_utf8_lossy(&ledger).into_owned();
        assert_eq!(
            lines.lines().next(),
            Some(
                r#"{"partition":"t-0","offset":0,"meter":"m","at":"2026-01-01T00:00:00Z","wh":5}"#
            )
        );
    }

    #[test]
    fn one_bad_reading_refuses_the_batch_and_nothing_is_written() {
        for bad in ["", "{}", r#"{"meter": "m", "at": "x", "wh": -1}"#] {
            let mut ledger = Vec::new();
            let refused =
                record(&event(&[GOOD, bad]), &mut ledger).map_err(|refused| refused.to_string());
            assert!(
                refused.is_err_and(|why| why.starts_with("t-0 offset 1: ")),
                "{bad}"
            );
            assert!(ledger.is_empty());
        }
    }
}

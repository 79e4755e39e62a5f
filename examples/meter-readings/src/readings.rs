//! A reading: checked, then written as one line.

use std::io::Write;

use lambda_batch::{HandlerError, KafkaRecord};
use serde::{Deserialize, Serialize};

/// What a meter sends.
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
    partition: String,
    offset: i64,
    #[serde(flatten)]
    reading: &'a Reading,
}

/// Appends the reading of a record to the ledger. A reading that is not valid is refused; a ledger
/// that cannot be written is a reason to try again.
pub(crate) fn write(record: &KafkaRecord<'_>, mut ledger: impl Write) -> Result<(), HandlerError> {
    let reading: Reading = record.parse_json()?;
    if reading.wh < 0 {
        return Err(HandlerError::park(format_args!(
            "meter {} reports {} Wh; the minimum is 0",
            reading.meter, reading.wh
        )));
    }
    let line = Line {
        partition: format!("{}-{}", record.topic, record.partition),
        offset: record.offset,
        reading: &reading,
    };
    let mut line = serde_json::to_vec(&line).map_err(HandlerError::park)?;
    line.push(b'\n');
    // Lines of two processes do not mix: one write.
    ledger.write_all(&line).map_err(HandlerError::retry)
}

#[cfg(test)]
mod tests {
    use lambda_batch::KafkaBatch;

    use super::*;

    const GOOD: &str =
        "eyJtZXRlciI6ICJtMSIsICJhdCI6ICIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsICJ3aCI6IDEyMDB9";
    const NEGATIVE: &str =
        "eyJtZXRlciI6ICJtMSIsICJhdCI6ICIyMDI2LTAxLTAxVDAyOjAwOjAwWiIsICJ3aCI6IC0xfQ==";

    fn event(value: &str) -> KafkaBatch {
        let record = format!(r#"{{"topic":"t","partition":0,"offset":7,"value":"{value}"}}"#);
        serde_json::from_str(&format!(r#"{{"records":{{"t-0":[{record}]}}}}"#)).expect("an event")
    }

    fn written(value: &str) -> (Result<(), HandlerError>, String) {
        let mut ledger = Vec::new();
        let batch = event(value);
        let result = write(&batch.get(0).expect("a record"), &mut ledger);
        (result, String::from_utf8_lossy(&ledger).into_owned())
    }

    #[test]
    fn a_valid_reading_becomes_a_line() {
        let line =
            r#"{"partition":"t-0","offset":7,"meter":"m1","at":"2026-01-01T00:00:00Z","wh":1200}"#;
        assert_eq!(written(GOOD), (Ok(()), format!("{line}\n")));
    }

    #[test]
    fn an_invalid_reading_is_refused_and_not_written() {
        for bad in ["", "e30=", "bm90IEpTT04=", NEGATIVE] {
            let (result, ledger) = written(bad);
            assert!(
                matches!(result, Err(HandlerError::Park(_))),
                "{bad}: {result:?}"
            );
            assert_eq!(ledger, "", "{bad}");
        }
    }
}

//! The responses that clients received.

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;

use super::wire::Answer;

/// Latencies of accepted requests, and what became of the others.
#[derive(Debug, Clone)]
pub(crate) struct Responses {
    /// Microseconds until each accepting answer.
    pub latencies_us: Histogram<u64>,
    /// Number of other answers, and of requests without an answer.
    pub refused: u64,
    /// The last of them.
    pub refusal: Option<String>,
}

impl Responses {
    pub(crate) fn none() -> Result<Self> {
        Ok(Self {
            latencies_us: Histogram::new(3)?,
            refused: 0,
            refusal: None,
        })
    }

    /// Counts one answer. It accepts if its status is the expected one.
    pub(crate) fn note(
        &mut self,
        expected: u16,
        answer: &Result<Answer<'_>>,
        took: Duration,
    ) -> Result<()> {
        let refusal = match answer {
            Ok(answer) if answer.status == expected => {
                self.latencies_us.record(took.as_micros() as u64)?;
                return Ok(());
            }
            Ok(Answer { status, body }) => {
                format!("{status} {}", String::from_utf8_lossy(body))
            }
            Err(error) => format!("{error:#}"),
        };
        self.refused += 1;
        self.refusal = Some(refusal);
        Ok(())
    }

    pub(crate) fn add(&mut self, other: Self) -> Result<()> {
        self.latencies_us.add(other.latencies_us)?;
        self.refused += other.refused;
        self.refusal = other.refusal.or(self.refusal.take());
        Ok(())
    }

    /// Number of accepted requests.
    pub(crate) fn accepted(&self) -> u64 {
        self.latencies_us.len()
    }

    /// Latency in milliseconds.
    pub(crate) fn milliseconds(&self, quantile: f64) -> f64 {
        self.latencies_us.value_at_quantile(quantile) as f64 / 1e3
    }
}

//! The responses that clients received.

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;

use super::wire::Answer;

/// Whether an answer of this status accepts an order: 202, or 201 where order-create has stored the
/// order before the storefront had its acknowledgement.
pub(crate) const fn accepts(status: u16) -> bool {
    matches!(status, 201 | 202)
}

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

    /// Counts one answer.
    pub(crate) fn note(&mut self, answer: &Result<Answer<'_>>, took: Duration) -> Result<()> {
        let refusal = match answer {
            Ok(answer) if accepts(answer.status) => {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_accepted_whether_or_not_it_is_stored_already() {
        let mut responses = Responses::none().expect("a histogram");
        for status in [202, 201, 409, 503] {
            let answer = Ok(Answer {
                status,
                body: b"{}",
            });
            responses
                .note(&answer, Duration::from_millis(1))
                .expect("counted");
        }
        assert_eq!((responses.accepted(), responses.refused), (2, 2));
        assert_eq!(responses.refusal.as_deref(), Some("503 {}"));
    }
}

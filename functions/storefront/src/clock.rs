//! Time, random numbers and identities as a parameter, so that tests choose them.

use std::time::{SystemTime, UNIX_EPOCH};

use shared::message::{CallId, Nonce};

/// Source of time, nonces and identities.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;
    /// Seconds since 1970.
    fn now_s(&self) -> u64 {
        self.now_ms() / 1000
    }
    /// 16 random bits for an order number.
    fn random(&self) -> u16;
    /// A random nonce of 128 bits.
    fn nonce(&self) -> Nonce;
    /// A random identity for an API call.
    fn call_id(&self) -> CallId;
}

/// The machine's clock and random number generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as u64)
    }

    fn random(&self) -> u16 {
        rand::random()
    }

    fn nonce(&self) -> Nonce {
        Nonce::new(rand::random())
    }

    fn call_id(&self) -> CallId {
        CallId::new(rand::random())
    }
}

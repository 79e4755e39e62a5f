//! What is told of an invocation that ended to those who watch.

use std::time::{Duration, SystemTime};

use super::instance::epoch_ms;
use crate::invocation::FunctionError;
use crate::observation::{Ended, Failure};

/// An invocation's end, as of now.
pub(super) fn ended(
    request_id: &str,
    records: usize,
    duration: Duration,
    init: Option<Duration>,
    error: Option<&FunctionError>,
) -> Ended {
    let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
    Ended {
        at_ms: epoch_ms(SystemTime::now()),
        function: String::new(),
        request_id: request_id.to_owned(),
        records,
        duration_ms: ms(duration),
        init_ms: init.map(ms),
        error: error.map(|error| Failure::new(&error.error_type, &error.message)),
    }
}

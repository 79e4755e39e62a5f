//! Runs when the schedule fires.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;

/// What this function reads of the event.
#[derive(Deserialize)]
struct Tick {
    /// When it was due.
    time: String,
}

fn line(tick: &Tick) -> String {
    format!("Hello at {}", tick.time)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let handle = async |event: LambdaEvent<Tick>| {
        println!("{}", line(&event.payload));
        Ok::<_, Error>(())
    };
    lambda_runtime::run(service_fn(handle)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_the_time_of_the_tick() {
        let event = include_str!("../../../events/%FOLDER%/one.json");
        let tick: Tick = serde_json::from_str(event).unwrap();
        assert_eq!(line(&tick), "Hello at 2026-01-01T00:00:00Z");
    }

    #[test]
    fn an_event_without_a_time_is_refused() {
        assert!(serde_json::from_str::<Tick>("{}").is_err());
    }
}

//! The event of a schedule: of an `EventBridge` rule or of `EventBridge` Scheduler.

use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::Value;

/// One tick. The *scheduled* time identifies it: a tick that is delivered twice has the same time.
///
/// A rule sends `detail` as an object, Scheduler sends the text `"{}"`, and a schedule with an
/// input sends only that input. So only time and id are read, and either may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tick {
    /// When it was due, milliseconds since 1970, if the event has it.
    pub at_ms: Option<i64>,
    /// The id of the event, if it has one.
    pub id: Option<String>,
}

impl<'de> Deserialize<'de> for Tick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = Value::deserialize(deserializer)?;
        // `get` of an array finds no member
        let text = |name| event.get(name).and_then(Value::as_str);
        let at_ms = text("time")
            .and_then(|t| t.parse::<jiff::Timestamp>().ok())
            .map(jiff::Timestamp::as_millisecond);
        Ok(Self {
            at_ms,
            id: text("id").map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(event: &str) -> Tick {
        serde_json::from_str(event).expect("the event is read")
    }

    #[test]
    fn a_rule_has_its_scheduled_time() {
        let tick = tick(include_str!("fixtures/rule.json"));
        assert_eq!(tick.at_ms, Some(1_795_372_200_000));
        assert_eq!(
            tick.id.as_deref(),
            Some("53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa")
        );
    }

    #[test]
    fn scheduler_has_its_scheduled_time() {
        let tick = tick(include_str!("fixtures/scheduler.json"));
        assert_eq!(tick.at_ms, Some(1_795_372_200_000));
        assert_eq!(
            tick.id.as_deref(),
            Some("a1b2c3d4-0000-4000-8000-000000000000")
        );
    }

    #[test]
    fn an_input_is_a_tick_without_time() {
        assert_eq!(
            tick(include_str!("fixtures/custom-input.json")),
            Tick::default()
        );
        for bare in [
            "null",
            "{}",
            "[1, {}]",
            r#"["2026-11-22T18:30:00Z", "an id"]"#,
            "\"go\"",
            "17",
            r#"{"time": "tomorrow"}"#,
        ] {
            assert_eq!(tick(bare), Tick::default(), "{bare}");
        }
    }
}

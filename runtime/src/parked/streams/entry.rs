//! An entry of a dead-letter stream.
//!
//! It begins with the fields `dead:id`, `dead:group`, `dead:deliveries` and `dead:reason`; the fields
//! of the entry that was parked follow.

use super::DEAD;
use crate::parked::DeadLetterView;

/// The stream whose groups parked the entries of this dead-letter stream.
pub(super) fn source(dead: &str) -> &str {
    dead.strip_suffix(DEAD).unwrap_or(dead)
}

pub(super) fn reason_to_stay(answer: &str, dead: &str) -> String {
    let (why, remedy) = match answer {
        "FOREIGN" => (
            "no consumer group parked it: its first field is not dead:id",
            "remove",
        ),
        "EMPTY" => (
            "the stream had lost its entry before it was parked: there is nothing to replay",
            "remove",
        ),
        "LARGE" => (
            "it has more fields than Redis can move in one step",
            "add it to the stream by hand (XADD), then remove",
        ),
        other => (other, "remove"),
    };
    format!("{why}; {remedy} it: XDEL {dead} ID")
}

/// An entry of a dead-letter stream.
#[derive(Debug)]
pub(super) struct StreamEntry {
    pub(super) id: String,
    /// Names and values in turn; not necessarily UTF-8.
    pub(super) fields: Vec<Vec<u8>>,
}

impl StreamEntry {
    /// Classifies the entry as the replay script does.
    pub(super) fn view(&self, dead: &str) -> DeadLetterView {
        let text = |at: usize| {
            self.fields
                .get(at)
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
                .unwrap_or_default()
        };
        let name = |at: usize| self.fields.get(at).map_or(&b""[..], Vec::as_slice);
        let parked = name(0) == b"dead:id";
        let own = if parked { 8 } else { 0 };
        let fields = (own..self.fields.len()).step_by(2);
        let fields: Vec<String> = fields
            .map(|at| format!("{}={}", text(at), text(at + 1)))
            .collect();
        let body = if parked && name(own) == b"dead:packed" {
            "(more fields than are shown)".to_owned()
        } else {
            fields.join("  ")
        };
        let reason = if parked {
            format!(
                "{} (entry {}, delivered {} times to group {})",
                text(7),
                text(1),
                text(5),
                text(3)
            )
        } else {
            "unknown".to_owned()
        };
        let back_to = match (parked, body.is_empty()) {
            (false, _) => format!("nowhere: {}", reason_to_stay("FOREIGN", dead)),
            (true, true) => format!("nowhere: {}", reason_to_stay("EMPTY", dead)),
            (true, false) => format!("stream {}", source(dead)),
        };
        let sent_ms = self.id.split_once('-').and_then(|(ms, _)| ms.parse().ok());
        DeadLetterView {
            id: self.id.clone(),
            sent_ms,
            reason,
            back_to,
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(fields: &[&[u8]]) -> DeadLetterView {
        StreamEntry {
            id: "1795370400000-2".into(),
            fields: fields.iter().map(|field| field.to_vec()).collect(),
        }
        .view("e:{s}-dead")
    }

    #[test]
    fn a_view_has_the_reason_and_the_target() {
        let parked: [&[u8]; 8] = [
            b"dead:id",
            b"5-1",
            b"dead:group",
            b"g",
            b"dead:deliveries",
            b"3",
            b"dead:reason",
            b"no number",
        ];
        let shown = view(
            &[
                &parked[..],
                &[b"version", b"x", b"\xff", b"7", b"version", b"y"],
            ]
            .concat(),
        );
        assert_eq!(shown.sent_ms, Some(1_795_370_400_000));
        assert_eq!(
            shown.reason,
            "no number (entry 5-1, delivered 3 times to group g)"
        );
        assert_eq!(
            (shown.body.as_str(), shown.back_to.as_str()),
            ("version=x  \u{fffd}=7  version=y", "stream e:{s}")
        );
        assert_eq!(
            view(&[&parked[..], &[b"dead:packed", b"\x92"]].concat()).body,
            "(more fields than are shown)"
        );
        assert!(
            view(&parked)
                .back_to
                .starts_with("nowhere: the stream had lost")
        );
        let foreign = view(&[b"id", b"7"]);
        assert!(
            foreign.back_to.ends_with("remove it: XDEL e:{s}-dead ID") && foreign.body == "id=7",
            "{foreign:?}"
        );
    }
}

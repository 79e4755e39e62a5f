//! The cached form of a program: JSON. Unknown members are accepted: a newer function may add some
//! during an upgrade.

use crate::sale::Program;

pub(super) fn encode(program: &Program) -> String {
    serde_json::to_string(program).unwrap_or_else(|_| unreachable!("texts and numbers are JSON"))
}

pub(super) fn decode(text: &str) -> serde_json::Result<Program> {
    strict_json::from_str(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{AdmissionRate, Cents, ProgramId, Shard};
    use crate::sale::{NewCategory, NewProgram};

    fn program() -> Program {
        let category = |name: &str, price| NewCategory {
            name: name.into(),
            rows: 3,
            row_len: 5,
            price,
        };
        let price = |cents| Cents::new(cents).expect("in bounds");
        let categories = vec![
            category("Stalls \"A\"", price(6_500)),
            category("Balcony", price(0)),
        ];
        let new = NewProgram::new("Winter – ☃".into(), categories, 900_000, 6).expect("valid");
        let id = ProgramId::new(17).expect("in bounds");
        new.stored(id, Shard::new(63).expect("in bounds"))
    }

    #[test]
    fn a_program_survives_encoding() {
        let program = program();
        assert_eq!(decode(&encode(&program)).ok(), Some(program));
    }

    /// Functions of two versions share the cache during an upgrade.
    #[test]
    fn the_members_of_the_json_are_fixed() {
        let text = concat!(
            r#"{"id":"17","shard":63,"title":"Winter – ☃","version":1,"status":"on_sale","#,
            r#""pay_window_ms":900000,"user_limit":6,"categories":["#,
            r#"{"no":0,"name":"Stalls \"A\"","first_seat":0,"rows":3,"row_len":5,"price_cents":6500},"#,
            r#"{"no":1,"name":"Balcony","first_seat":15,"rows":3,"row_len":5,"price_cents":0}]}"#,
        );
        assert_eq!(encode(&program()), text);
        let with_room = Program {
            admissions_per_second: Some(AdmissionRate::new(50).expect("in bounds")),
            ..program()
        };
        let text_with_room = text.replace(
            r#""user_limit":6,"#,
            r#""user_limit":6,"admissions_per_second":50,"#,
        );
        assert_eq!(encode(&with_room), text_with_room);
        assert_eq!(decode(&text_with_room).ok(), Some(with_room));
        let newer = text.replace(r#""no":"#, r#""gate":{"no":[1]},"no":"#);
        assert_eq!(decode(&newer).ok(), Some(program()));
    }

    #[test]
    fn unknown_members_are_accepted_damage_is_refused() {
        let text = encode(&program());
        assert_eq!(
            decode(&text.replacen('{', r#"{"venue":"hall","#, 1)).ok(),
            Some(program())
        );
        for damaged in [
            "",
            "{}",
            "null",
            &text[..30],
            &text.replace("\"rows\":3", "\"rows\":0"),
            &text.replace("on_sale", "gone"),
        ] {
            assert!(decode(damaged).is_err(), "{damaged}");
        }
    }
}

//! The cached form of a program: JSON.

use serde::{Deserialize, Serialize};

use crate::message::{BadValue, CategoryNo, Cents, ProgramId, ProgramVersion, SeatIndex, Shard};
use crate::sale::{Category, Layout, Program};

/// Unknown members are accepted: a newer function may add some during an upgrade.
#[derive(Serialize, Deserialize)]
struct Body {
    id: ProgramId,
    shard: u8,
    title: String,
    version: ProgramVersion,
    status: String,
    pay_window_ms: i64,
    user_limit: u32,
    categories: Vec<CategoryBody>,
}

#[derive(Serialize, Deserialize)]
struct CategoryBody {
    no: CategoryNo,
    name: String,
    first_seat: SeatIndex,
    rows: u32,
    row_len: u32,
    price_cents: Cents,
}

/// Why a body cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadBody {
    /// It is not JSON of this shape.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A value is out of its bounds.
    #[error(transparent)]
    Value(#[from] BadValue),
}

pub(super) fn encode(program: &Program) -> String {
    let part = |c: &Category| CategoryBody {
        no: c.no,
        name: c.name.clone(),
        first_seat: c.layout.first(),
        rows: c.layout.rows(),
        row_len: c.layout.row_len(),
        price_cents: c.price,
    };
    let body = Body {
        id: program.id,
        shard: program.shard.get(),
        title: program.title.clone(),
        version: program.version,
        status: program.status.as_str().to_owned(),
        pay_window_ms: program.pay_window_ms,
        user_limit: program.user_limit,
        categories: program.categories.iter().map(part).collect(),
    };
    serde_json::to_string(&body).unwrap_or_else(|_| unreachable!("texts and numbers are JSON"))
}

pub(super) fn decode(text: &str) -> Result<Program, BadBody> {
    let body: Body = strict_json::from_str(text)?;
    let category = |part: CategoryBody| {
        let layout = Layout::new(part.first_seat, part.rows, part.row_len)?;
        Ok::<_, BadValue>(Category {
            no: part.no,
            name: part.name,
            layout,
            price: part.price_cents,
        })
    };
    Ok(Program {
        id: body.id,
        shard: Shard::new(body.shard)?,
        title: body.title,
        version: body.version,
        status: body.status.parse()?,
        pay_window_ms: body.pay_window_ms,
        user_limit: body.user_limit,
        categories: body
            .categories
            .into_iter()
            .map(category)
            .collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
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

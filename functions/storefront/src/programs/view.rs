//! Programs and seats as JSON.

use serde_json::{Value, json};
use shared::gate::Availability;
use shared::sale::{Category, Program};

/// The seats of each row: `.` free, `x` taken, `#` blocked.
pub(super) fn rows(rows: &[Vec<u8>]) -> Vec<String> {
    let text = |row: &Vec<u8>| row.iter().map(|seat| symbol(*seat)).collect();
    rows.iter().map(text).collect()
}

const fn symbol(seat: u8) -> char {
    match seat {
        b'0' => '.',
        b'1' | b'4' => 'x',
        _ => '#',
    }
}

/// A program with its free seats, where they are known.
pub(super) fn program(program: &Program, availability: Option<&Availability>) -> Value {
    let free = |c: &Category| {
        availability
            .and_then(|a| a.free.iter().find(|(no, _)| *no == c.no))
            .map(|(_, free)| *free)
    };
    let category = |c: &Category| {
        json!({
            "no": c.no, "name": c.name, "price_cents": c.price, "first_seat": c.layout.first(),
            "rows": c.layout.rows(), "seats_per_row": c.layout.row_len(), "free": free(c),
        })
    };
    json!({
        "id": program.id, "title": program.title, "version": program.version,
        "status": program.status.as_str(),
        "pay_window_seconds": program.pay_window_ms / 1000, "user_limit": program.user_limit,
        "admissions_per_second": program.admissions_per_second,
        "categories": program.categories.iter().map(category).collect::<Vec<_>>(),
    })
}

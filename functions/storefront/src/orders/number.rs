//! Order numbers in paths.

use std::fmt::Display;

use shared::message::OrderNumber;

use crate::http::Problem;

/// A malformed number is the number of no order.
pub(super) fn parse(number: &str) -> Result<OrderNumber, Problem> {
    number.parse().map_err(|_| missing(number))
}

pub(super) fn missing(number: impl Display) -> Problem {
    Problem::not_found("no_such_order", format_args!("you have no order {number}"))
}

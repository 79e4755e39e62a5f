//! Routes of the API, as in template.yaml.

use super::{Problem, RequestClass};

/// A route with its path parameters as text, which its handler parses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `POST /programs`
    CreateProgram,
    /// `GET /programs/{id}`
    Program(String),
    /// `PATCH /programs/{id}`
    UpdateProgram(String),
    /// `POST /programs/{id}/stop`
    StopSale(String),
    /// `POST /programs/{id}/resume`
    ResumeSale(String),
    /// `GET /programs/{id}/seats`
    Seats(String),
    /// `POST /programs/{id}/seats`
    AddSeats(String),
    /// `POST /programs/{id}/block`
    BlockSeats(String),
    /// `POST /programs/{id}/unblock`
    UnblockSeats(String),
    /// `GET /programs/{id}/blocked`
    BlockedSeats(String),
    /// `POST /programs/{id}/orders`
    CreateOrder(String),
    /// `POST /programs/{id}/waiting-room`
    JoinRoom(String),
    /// `GET /programs/{id}/waiting-room`
    RoomPlace(String),
    /// `PUT /programs/{id}/waiting-room`
    SwitchRoom(String),
    /// `GET /orders/{number}`
    Order(String),
    /// `GET /orders`
    Orders,
    /// `POST /orders/{number}/cancel`
    CancelOrder(String),
    /// `POST /payments`
    Payment,
    /// `GET /payments`
    Payments,
    /// `POST /payments/{id}/refunded`
    RefundedPayment(String),
    /// `POST /payments/{id}/assign`
    AssignPayment(String),
    /// `POST /orders/{number}/refunds`
    CreateRefund(String),
    /// `GET /refunds`
    Refunds,
    /// `POST /refunds/{id}/refunded`
    RecordedRefund(String),
    /// `POST /refunds/{id}/retry`
    RetryRefund(String),
    /// `GET /api-calls`
    ApiCalls,
    /// `GET /api-calls/statistics`
    ApiStatistics,
    /// `GET /parked`
    ParkedList,
    /// `GET /parked/{id}`
    Parked(String),
    /// `POST /parked/{id}/replay`
    ReplayParked(String),
    /// `POST /parked/{id}/discard`
    DiscardParked(String),
    /// `GET /gaps`
    Gaps,
    /// `POST /gaps/{id}/close`
    CloseGap(String),
}

/// Method, path in template.yaml, and the route with the parameter of the path.
type Row = (&'static str, &'static str, fn(String) -> Route);

/// The methods of one path are in alphabetical order.
const ROUTES: [Row; Route::COUNT] = [
    ("POST", "/programs", |_| Route::CreateProgram),
    ("GET", "/programs/{id}", Route::Program),
    ("PATCH", "/programs/{id}", Route::UpdateProgram),
    ("POST", "/programs/{id}/stop", Route::StopSale),
    ("POST", "/programs/{id}/resume", Route::ResumeSale),
    ("GET", "/programs/{id}/seats", Route::Seats),
    ("POST", "/programs/{id}/seats", Route::AddSeats),
    ("POST", "/programs/{id}/block", Route::BlockSeats),
    ("POST", "/programs/{id}/unblock", Route::UnblockSeats),
    ("GET", "/programs/{id}/blocked", Route::BlockedSeats),
    ("POST", "/programs/{id}/orders", Route::CreateOrder),
    ("GET", "/orders/{number}", Route::Order),
    ("GET", "/programs/{id}/waiting-room", Route::RoomPlace),
    ("POST", "/programs/{id}/waiting-room", Route::JoinRoom),
    ("PUT", "/programs/{id}/waiting-room", Route::SwitchRoom),
    ("GET", "/orders", |_| Route::Orders),
    ("POST", "/orders/{number}/cancel", Route::CancelOrder),
    ("GET", "/payments", |_| Route::Payments),
    ("POST", "/payments", |_| Route::Payment),
    ("POST", "/payments/{id}/refunded", Route::RefundedPayment),
    ("POST", "/payments/{id}/assign", Route::AssignPayment),
    ("POST", "/orders/{number}/refunds", Route::CreateRefund),
    ("GET", "/refunds", |_| Route::Refunds),
    ("POST", "/refunds/{id}/refunded", Route::RecordedRefund),
    ("POST", "/refunds/{id}/retry", Route::RetryRefund),
    ("GET", "/api-calls", |_| Route::ApiCalls),
    ("GET", "/api-calls/statistics", |_| Route::ApiStatistics),
    ("GET", "/parked", |_| Route::ParkedList),
    ("GET", "/parked/{id}", Route::Parked),
    ("POST", "/parked/{id}/replay", Route::ReplayParked),
    ("POST", "/parked/{id}/discard", Route::DiscardParked),
    ("GET", "/gaps", |_| Route::Gaps),
    ("POST", "/gaps/{id}/close", Route::CloseGap),
];

impl Route {
    /// Number of routes.
    pub const COUNT: usize = 33;

    /// Finds the route and its path in template.yaml, which is the same for every order and
    /// program. `path` excludes the stage.
    pub fn find(method: &str, path: &str) -> Result<(Self, &'static str), Problem> {
        let mut allowed = Vec::new();
        for (of, template, route) in &ROUTES {
            let Some(parameter) = parameter(template, path) else {
                continue;
            };
            if *of == method {
                return Ok((route(parameter.to_owned()), template));
            }
            allowed.push(*of);
        }
        if allowed.is_empty() {
            let detail = format_args!("no route matches {path}");
            return Err(Problem::not_found("no_such_route", detail));
        }
        let allowed = allowed.join(", ");
        let detail = format!("{path} takes {allowed}, not {method}");
        Err(
            Problem::new(405, "method_not_allowed", "Method not allowed", detail)
                .with("allowed", allowed),
        )
    }

    /// The class that the route belongs to. Its function in template.yaml has the route, and the
    /// settings that the handler needs.
    pub const fn class(&self) -> RequestClass {
        match self {
            Self::CreateOrder(_) | Self::CancelOrder(_) | Self::JoinRoom(_) => RequestClass::Orders,
            Self::Program(_)
            | Self::Seats(_)
            | Self::RoomPlace(_)
            | Self::Order(_)
            | Self::Orders => RequestClass::Lookups,
            Self::Payment => RequestClass::Payments,
            Self::CreateProgram
            | Self::UpdateProgram(_)
            | Self::StopSale(_)
            | Self::ResumeSale(_)
            | Self::SwitchRoom(_)
            | Self::AddSeats(_)
            | Self::BlockSeats(_)
            | Self::UnblockSeats(_)
            | Self::BlockedSeats(_)
            | Self::Payments
            | Self::RefundedPayment(_)
            | Self::AssignPayment(_)
            | Self::CreateRefund(_)
            | Self::Refunds
            | Self::RecordedRefund(_)
            | Self::RetryRefund(_)
            | Self::ApiCalls
            | Self::ApiStatistics
            | Self::ParkedList
            | Self::Parked(_)
            | Self::ReplayParked(_)
            | Self::DiscardParked(_)
            | Self::Gaps
            | Self::CloseGap(_) => RequestClass::Operators,
        }
    }

    /// The query parameters that the handler reads. `None` if all are accepted: the payment
    /// provider chooses the address of its notifications, and a refused notification is a payment
    /// that is not recorded.
    pub const fn parameters(&self) -> Option<&'static [&'static str]> {
        Some(match self {
            Self::Payment => return None,
            Self::Seats(_) => &["category"],
            Self::CreateOrder(_) => &["wait"],
            Self::RoomPlace(_) => &["ticket"],
            Self::BlockedSeats(_) => &["after", "limit"],
            Self::Orders => &["before", "limit"],
            Self::Payments => &["after", "limit", "order", "reference", "state"],
            Self::Refunds => &["after", "limit", "order", "state"],
            Self::ApiCalls => &[
                "after", "from", "ip", "limit", "route", "status", "to", "url", "user",
            ],
            Self::ApiStatistics => &["by", "client", "from", "route", "status", "to"],
            Self::ParkedList => &["after", "limit", "state", "topic"],
            Self::Gaps => &["after", "closed", "limit"],
            _ => &[],
        })
    }
}

/// The parameter in a path that matches the template; empty if the template has none.
fn parameter<'a>(template: &str, path: &'a str) -> Option<&'a str> {
    let mut parameter = "";
    let mut parts = path.trim_matches('/').split('/');
    for expected in template.trim_start_matches('/').split('/') {
        let part = parts.next()?;
        if expected.starts_with('{') {
            parameter = part;
        } else if expected != part {
            return None;
        }
    }
    parts.next().is_none().then_some(parameter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(method: &str, path: &str) -> Result<Route, Problem> {
        Route::find(method, path).map(|(route, _)| route)
    }

    #[test]
    fn every_route_of_the_template_is_found_and_nothing_else() {
        assert_eq!(route("POST", "/programs"), Ok(Route::CreateProgram));
        assert_eq!(route("GET", "/programs/7"), Ok(Route::Program("7".into())));
        assert_eq!(
            route("PATCH", "/programs/7"),
            Ok(Route::UpdateProgram("7".into()))
        );
        assert_eq!(
            route("POST", "/programs/7/stop"),
            Ok(Route::StopSale("7".into()))
        );
        assert_eq!(
            route("POST", "/programs/7/resume"),
            Ok(Route::ResumeSale("7".into()))
        );
        assert_eq!(
            route("GET", "/programs/7/seats"),
            Ok(Route::Seats("7".into()))
        );
        for (method, verb, of) in [
            ("POST", "seats", Route::AddSeats as fn(String) -> Route),
            ("POST", "block", Route::BlockSeats),
            ("POST", "unblock", Route::UnblockSeats),
            ("GET", "blocked", Route::BlockedSeats),
        ] {
            let path = format!("/programs/7/{verb}");
            assert_eq!(route(method, &path), Ok(of("7".into())));
        }
        assert_eq!(
            route("POST", "/programs/7/orders"),
            Ok(Route::CreateOrder("7".into()))
        );
        for (method, expected) in [
            ("POST", Route::JoinRoom("7".into())),
            ("GET", Route::RoomPlace("7".into())),
            ("PUT", Route::SwitchRoom("7".into())),
        ] {
            assert_eq!(route(method, "/programs/7/waiting-room"), Ok(expected));
        }
        assert_eq!(route("GET", "/orders"), Ok(Route::Orders));
        assert_eq!(route("GET", "/orders/9"), Ok(Route::Order("9".into())));
        assert_eq!(
            route("POST", "/orders/9/cancel"),
            Ok(Route::CancelOrder("9".into()))
        );
        assert_eq!(route("POST", "/payments"), Ok(Route::Payment));
        assert_eq!(route("GET", "/payments"), Ok(Route::Payments));
        assert_eq!(
            route("POST", "/payments/3/refunded"),
            Ok(Route::RefundedPayment("3".into()))
        );
        assert_eq!(
            route("POST", "/payments/3/assign"),
            Ok(Route::AssignPayment("3".into()))
        );
        assert_eq!(
            route("POST", "/orders/9/refunds"),
            Ok(Route::CreateRefund("9".into()))
        );
        assert_eq!(route("GET", "/refunds"), Ok(Route::Refunds));
        assert_eq!(
            route("POST", "/refunds/3/refunded"),
            Ok(Route::RecordedRefund("3".into()))
        );
        assert_eq!(
            route("POST", "/refunds/3/retry"),
            Ok(Route::RetryRefund("3".into()))
        );
        assert_eq!(route("GET", "/api-calls"), Ok(Route::ApiCalls));
        assert_eq!(
            route("GET", "/api-calls/statistics"),
            Ok(Route::ApiStatistics)
        );
        assert_eq!(route("GET", "/parked"), Ok(Route::ParkedList));
        assert_eq!(route("GET", "/parked/3"), Ok(Route::Parked("3".into())));
        assert_eq!(
            route("POST", "/parked/3/replay"),
            Ok(Route::ReplayParked("3".into()))
        );
        assert_eq!(
            route("POST", "/parked/3/discard"),
            Ok(Route::DiscardParked("3".into()))
        );
        assert_eq!(route("GET", "/gaps"), Ok(Route::Gaps));
        assert_eq!(
            route("POST", "/gaps/3/close"),
            Ok(Route::CloseGap("3".into()))
        );
        assert_eq!(route("GET", "/").map_err(|p| p.status), Err(404));
        assert_eq!(
            route("GET", "/programs/7/orders/1").map_err(|p| p.status),
            Err(404)
        );
        for (path, allowed) in [
            ("/programs/7", "GET, PATCH"),
            ("/payments", "GET, POST"),
            ("/orders/9", "GET"),
        ] {
            let refused = route("DELETE", path).expect_err("no such method");
            assert_eq!(
                (refused.status, refused.extras["allowed"].as_str()),
                (405, Some(allowed)),
                "{path}"
            );
        }
    }

    #[test]
    fn the_template_of_a_route_matches_the_route() {
        for (method, path) in [
            ("POST", "/programs"),
            ("GET", "/programs/{id}"),
            ("PATCH", "/programs/{id}"),
            ("POST", "/programs/{id}/stop"),
            ("POST", "/programs/{id}/resume"),
            ("GET", "/programs/{id}/seats"),
            ("POST", "/programs/{id}/seats"),
            ("POST", "/programs/{id}/block"),
            ("POST", "/programs/{id}/unblock"),
            ("GET", "/programs/{id}/blocked"),
            ("POST", "/programs/{id}/orders"),
            ("GET", "/programs/{id}/waiting-room"),
            ("POST", "/programs/{id}/waiting-room"),
            ("PUT", "/programs/{id}/waiting-room"),
            ("GET", "/orders/{number}"),
            ("GET", "/orders"),
            ("POST", "/orders/{number}/cancel"),
            ("POST", "/payments"),
            ("GET", "/payments"),
            ("POST", "/payments/{id}/refunded"),
            ("POST", "/payments/{id}/assign"),
            ("POST", "/orders/{number}/refunds"),
            ("GET", "/refunds"),
            ("POST", "/refunds/{id}/refunded"),
            ("POST", "/refunds/{id}/retry"),
            ("GET", "/api-calls"),
            ("GET", "/api-calls/statistics"),
            ("GET", "/gaps"),
            ("POST", "/gaps/{id}/close"),
        ] {
            assert_eq!(
                Route::find(method, path).map(|(_, template)| template),
                Ok(path)
            );
        }
    }
}

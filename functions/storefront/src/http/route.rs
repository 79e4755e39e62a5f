//! Routes of the API, as in template.yaml.

use super::Problem;

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
    /// `POST /programs/{id}/orders`
    CreateOrder(String),
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

impl Route {
    /// Finds the route. The path excludes the stage.
    pub fn of(method: &str, path: &str) -> Result<Self, Problem> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (route, allowed) = match parts.as_slice() {
            ["programs"] => (Self::CreateProgram, "POST"),
            ["programs", id] if method == "PATCH" => {
                (Self::UpdateProgram((*id).to_owned()), "PATCH")
            }
            ["programs", id] => (Self::Program((*id).to_owned()), "GET"),
            ["programs", id, "stop"] => (Self::StopSale((*id).to_owned()), "POST"),
            ["programs", id, "resume"] => (Self::ResumeSale((*id).to_owned()), "POST"),
            ["programs", id, "seats"] => (Self::Seats((*id).to_owned()), "GET"),
            ["programs", id, "orders"] => (Self::CreateOrder((*id).to_owned()), "POST"),
            ["orders"] => (Self::Orders, "GET"),
            ["orders", number] => (Self::Order((*number).to_owned()), "GET"),
            ["orders", number, "cancel"] => (Self::CancelOrder((*number).to_owned()), "POST"),
            ["payments"] if method == "GET" => (Self::Payments, "GET"),
            ["payments"] => (Self::Payment, "POST"),
            ["payments", id, "refunded"] => (Self::RefundedPayment((*id).to_owned()), "POST"),
            ["api-calls"] => (Self::ApiCalls, "GET"),
            ["api-calls", "statistics"] => (Self::ApiStatistics, "GET"),
            ["parked"] => (Self::ParkedList, "GET"),
            ["parked", id] => (Self::Parked((*id).to_owned()), "GET"),
            ["parked", id, "replay"] => (Self::ReplayParked((*id).to_owned()), "POST"),
            ["parked", id, "discard"] => (Self::DiscardParked((*id).to_owned()), "POST"),
            ["gaps"] => (Self::Gaps, "GET"),
            ["gaps", id, "close"] => (Self::CloseGap((*id).to_owned()), "POST"),
            _ => {
                return Err(Problem::not_found(
                    "no_such_route",
                    format_args!("no route matches {path}"),
                ));
            }
        };
        if method == allowed {
            return Ok(route);
        }
        let allowed = match route {
            Self::Program(_) => "GET, PATCH",
            Self::Payment => "GET, POST",
            _ => allowed,
        };
        let detail = format_args!("{path} takes {allowed}, not {method}").to_string();
        Err(
            Problem::new(405, "method_not_allowed", "Method not allowed", detail)
                .with("allowed", allowed),
        )
    }

    /// The query parameters that the handler reads. `None` if all are accepted: the payment
    /// provider chooses the address of its notifications, and a refused notification is a payment
    /// that is not recorded.
    pub const fn parameters(&self) -> Option<&'static [&'static str]> {
        Some(match self {
            Self::Payment => return None,
            Self::Seats(_) => &["category"],
            Self::CreateOrder(_) => &["wait"],
            Self::Orders => &["before", "limit"],
            Self::Payments => &["after", "limit", "order", "reference", "state"],
            Self::ApiCalls => &[
                "after", "from", "ip", "limit", "route", "status", "to", "url", "user",
            ],
            Self::ApiStatistics => &["by", "client", "from", "route", "status", "to"],
            Self::ParkedList => &["after", "limit", "state", "topic"],
            Self::Gaps => &["after", "closed", "limit"],
            Self::CreateProgram
            | Self::Program(_)
            | Self::UpdateProgram(_)
            | Self::StopSale(_)
            | Self::ResumeSale(_)
            | Self::Order(_)
            | Self::CancelOrder(_)
            | Self::RefundedPayment(_)
            | Self::Parked(_)
            | Self::ReplayParked(_)
            | Self::DiscardParked(_)
            | Self::CloseGap(_) => &[],
        })
    }

    /// Path in template.yaml, the same for every order and program.
    pub const fn template(&self) -> &'static str {
        match self {
            Self::CreateProgram => "/programs",
            Self::Program(_) | Self::UpdateProgram(_) => "/programs/{id}",
            Self::StopSale(_) => "/programs/{id}/stop",
            Self::ResumeSale(_) => "/programs/{id}/resume",
            Self::Seats(_) => "/programs/{id}/seats",
            Self::CreateOrder(_) => "/programs/{id}/orders",
            Self::Order(_) => "/orders/{number}",
            Self::Orders => "/orders",
            Self::CancelOrder(_) => "/orders/{number}/cancel",
            Self::Payment | Self::Payments => "/payments",
            Self::RefundedPayment(_) => "/payments/{id}/refunded",
            Self::ApiCalls => "/api-calls",
            Self::ApiStatistics => "/api-calls/statistics",
            Self::ParkedList => "/parked",
            Self::Parked(_) => "/parked/{id}",
            Self::ReplayParked(_) => "/parked/{id}/replay",
            Self::DiscardParked(_) => "/parked/{id}/discard",
            Self::Gaps => "/gaps",
            Self::CloseGap(_) => "/gaps/{id}/close",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_template_is_found_and_nothing_else() {
        assert_eq!(Route::of("POST", "/programs"), Ok(Route::CreateProgram));
        assert_eq!(
            Route::of("GET", "/programs/7"),
            Ok(Route::Program("7".into()))
        );
        assert_eq!(
            Route::of("PATCH", "/programs/7"),
            Ok(Route::UpdateProgram("7".into()))
        );
        assert_eq!(
            Route::of("POST", "/programs/7/stop"),
            Ok(Route::StopSale("7".into()))
        );
        assert_eq!(
            Route::of("POST", "/programs/7/resume"),
            Ok(Route::ResumeSale("7".into()))
        );
        assert_eq!(
            Route::of("GET", "/programs/7/seats"),
            Ok(Route::Seats("7".into()))
        );
        assert_eq!(
            Route::of("POST", "/programs/7/orders"),
            Ok(Route::CreateOrder("7".into()))
        );
        assert_eq!(Route::of("GET", "/orders"), Ok(Route::Orders));
        assert_eq!(Route::of("GET", "/orders/9"), Ok(Route::Order("9".into())));
        assert_eq!(
            Route::of("POST", "/orders/9/cancel"),
            Ok(Route::CancelOrder("9".into()))
        );
        assert_eq!(Route::of("POST", "/payments"), Ok(Route::Payment));
        assert_eq!(Route::of("GET", "/payments"), Ok(Route::Payments));
        assert_eq!(
            Route::of("POST", "/payments/3/refunded"),
            Ok(Route::RefundedPayment("3".into()))
        );
        assert_eq!(Route::of("GET", "/api-calls"), Ok(Route::ApiCalls));
        assert_eq!(
            Route::of("GET", "/api-calls/statistics"),
            Ok(Route::ApiStatistics)
        );
        assert_eq!(Route::of("GET", "/parked"), Ok(Route::ParkedList));
        assert_eq!(Route::of("GET", "/parked/3"), Ok(Route::Parked("3".into())));
        assert_eq!(
            Route::of("POST", "/parked/3/replay"),
            Ok(Route::ReplayParked("3".into()))
        );
        assert_eq!(
            Route::of("POST", "/parked/3/discard"),
            Ok(Route::DiscardParked("3".into()))
        );
        assert_eq!(Route::of("GET", "/gaps"), Ok(Route::Gaps));
        assert_eq!(
            Route::of("POST", "/gaps/3/close"),
            Ok(Route::CloseGap("3".into()))
        );
        assert_eq!(Route::of("GET", "/").map_err(|p| p.status), Err(404));
        assert_eq!(
            Route::of("GET", "/programs/7/orders/1").map_err(|p| p.status),
            Err(404)
        );
        for (path, allowed) in [
            ("/programs/7", "GET, PATCH"),
            ("/payments", "GET, POST"),
            ("/orders/9", "GET"),
        ] {
            let refused = Route::of("DELETE", path).expect_err("no such method");
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
            ("POST", "/programs/{id}/orders"),
            ("GET", "/orders/{number}"),
            ("GET", "/orders"),
            ("POST", "/orders/{number}/cancel"),
            ("POST", "/payments"),
            ("GET", "/payments"),
            ("POST", "/payments/{id}/refunded"),
            ("GET", "/api-calls"),
            ("GET", "/api-calls/statistics"),
            ("GET", "/gaps"),
            ("POST", "/gaps/{id}/close"),
        ] {
            assert_eq!(
                Route::of(method, path).map(|route| route.template()),
                Ok(path)
            );
        }
    }
}

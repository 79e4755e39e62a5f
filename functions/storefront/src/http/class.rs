//! Classes of requests. Pure.
//!
//! template.yaml runs one function for each class, from the same program. Each function has
//! concurrency, credentials, role and log of its own, so a class whose concurrency is used up
//! refuses requests of that class only.

use std::fmt;
use std::str::FromStr;

use super::Problem;

/// A class of requests with concurrency of its own. [`super::Route::class`] assigns the routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestClass {
    /// Buyers create and cancel orders. The requests that wait until their order is stored are a
    /// bounded part of this class.
    Orders,
    /// Buyers and the public read programs, seats and orders.
    Lookups,
    /// The payment provider reports payments.
    Payments,
    /// Operators and promoters: programs, refunds, parked records, gaps, API calls.
    Operators,
}

impl RequestClass {
    /// All classes.
    pub const ALL: [Self; 4] = [Self::Orders, Self::Lookups, Self::Payments, Self::Operators];

    /// Its name in the variable `REQUEST_CLASS`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Lookups => "lookups",
            Self::Payments => "payments",
            Self::Operators => "operators",
        }
    }
}

impl fmt::Display for RequestClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The classes that a function serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServedClasses {
    /// Every class shares the concurrency of one function.
    All,
    /// The others are served by other functions.
    Only(RequestClass),
}

impl ServedClasses {
    /// What the variable `REQUEST_CLASS` may be.
    pub const ALLOWED: &str = "orders, lookups, payments, operators or all";

    /// Whether requests of this class are served.
    pub fn includes(self, class: RequestClass) -> bool {
        match self {
            Self::All => true,
            Self::Only(served) => served == class,
        }
    }

    /// Refuses a request of a class that is not served. Such a function lacks the settings of the
    /// class, such as the keys of the payment provider, so its answer would be wrong.
    pub fn admit(self, class: RequestClass) -> Result<(), Problem> {
        match self {
            Self::Only(served) if served != class => Err(Problem::misdirected(format_args!(
                "this function serves {served}; the request belongs to {class}"
            ))),
            Self::All | Self::Only(_) => Ok(()),
        }
    }
}

/// The text is none of [`ServedClasses::ALLOWED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of {}", ServedClasses::ALLOWED)]
pub struct UnknownClass;

impl FromStr for ServedClasses {
    type Err = UnknownClass;

    fn from_str(text: &str) -> Result<Self, UnknownClass> {
        if text == "all" {
            return Ok(Self::All);
        }
        let class = RequestClass::ALL
            .into_iter()
            .find(|class| class.as_str() == text);
        class.map(Self::Only).ok_or(UnknownClass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_admits_its_own_class_only() {
        for served in RequestClass::ALL {
            for class in RequestClass::ALL {
                let admitted = ServedClasses::Only(served).admit(class);
                let status = admitted.map_err(|problem| (problem.status, problem.retry_after));
                let expected = if served == class {
                    Ok(())
                } else {
                    // A repetition reaches the same function: there is nothing to wait for.
                    Err((421, None))
                };
                assert_eq!(status, expected, "{class} at {served}");
                assert_eq!(
                    ServedClasses::Only(served).includes(class),
                    expected.is_ok()
                );
                assert_eq!(ServedClasses::All.admit(class), Ok(()));
            }
        }
    }

    #[test]
    fn every_class_has_a_name_of_its_own() {
        for class in RequestClass::ALL {
            assert_eq!(class.as_str().parse(), Ok(ServedClasses::Only(class)));
            assert!(ServedClasses::ALLOWED.contains(class.as_str()));
        }
        assert_eq!("all".parse(), Ok(ServedClasses::All));
        for unknown in ["", "Orders", "orders,payments"] {
            assert_eq!(
                unknown.parse::<ServedClasses>(),
                Err(UnknownClass),
                "{unknown}"
            );
        }
    }
}

//! Changes of a stored program: title, prices, limits; never the seats.

use super::program::{
    BadProgram, check_category_name, check_pay_window, check_title, check_user_limit,
};
use crate::message::{CategoryNo, Cents};

/// Changes of one category. Its seats never change, because sold tickets refer to them by index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryChange {
    /// Number of the category.
    pub no: CategoryNo,
    /// A new name: 1 to 100 characters.
    pub name: Option<String>,
    /// A new price of one ticket. Existing orders keep theirs.
    pub price: Option<Cents>,
}

/// A checked change: within bounds, not empty, and each category at most once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramChange {
    pub(crate) title: Option<String>,
    /// Time to pay, ms.
    pub(crate) pay_window_ms: Option<i64>,
    /// Maximum live tickets of one buyer.
    pub(crate) user_limit: Option<u32>,
    /// Ascending by number.
    pub(crate) categories: Vec<CategoryChange>,
}

impl ProgramChange {
    /// Checks everything. `None` leaves a value as it is. `pay_window_ms` and `user_limit` apply to
    /// new orders.
    pub fn new(
        title: Option<String>,
        pay_window_ms: Option<i64>,
        user_limit: Option<u32>,
        mut categories: Vec<CategoryChange>,
    ) -> Result<Self, BadProgram> {
        title.as_deref().map_or(Ok(()), check_title)?;
        pay_window_ms.map_or(Ok(()), check_pay_window)?;
        user_limit.map_or(Ok(()), check_user_limit)?;
        categories.sort_by_key(|c| c.no);
        if let Some(twice) = categories.windows(2).find(|pair| pair[0].no == pair[1].no) {
            return Err(BadProgram::CategoryTwice(twice[0].no));
        }
        for category in &categories {
            category.name.as_deref().map_or(Ok(()), |name| {
                check_category_name(usize::from(category.no.get()), name)
            })?;
        }
        let in_a_category = categories
            .iter()
            .any(|c| c.name.is_some() || c.price.is_some());
        if title.is_none() && pay_window_ms.is_none() && user_limit.is_none() && !in_a_category {
            return Err(BadProgram::NothingToChange);
        }
        Ok(Self {
            title,
            pay_window_ms,
            user_limit,
            categories,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn category(no: u16, name: Option<&str>, price: Option<i64>) -> CategoryChange {
        CategoryChange {
            no: CategoryNo::new(no).expect("in bounds"),
            name: name.map(str::to_owned),
            price: price.map(|price| Cents::new(price).expect("in bounds")),
        }
    }

    #[test]
    fn a_change_has_the_bounds_of_a_program() {
        let new = ProgramChange::new;
        assert_eq!(
            new(Some("\u{7}".into()), None, None, vec![]),
            Err(BadProgram::Title)
        );
        assert_eq!(
            new(None, Some(999), None, vec![]),
            Err(BadProgram::PayWindow)
        );
        assert_eq!(new(None, None, Some(0), vec![]), Err(BadProgram::UserLimit));
        assert_eq!(
            new(None, None, None, vec![category(3, Some(""), None)]),
            Err(BadProgram::CategoryName(3))
        );
        assert!(
            new(
                Some("Later".into()),
                Some(1_000),
                Some(1_000),
                vec![category(0, Some("Stalls"), Some(0))]
            )
            .is_ok()
        );
    }

    #[test]
    fn an_empty_change_and_a_repeated_category_are_refused() {
        assert_eq!(
            ProgramChange::new(None, None, None, vec![]),
            Err(BadProgram::NothingToChange)
        );
        assert_eq!(
            ProgramChange::new(None, None, None, vec![category(0, None, None)]),
            Err(BadProgram::NothingToChange)
        );
        let twice = vec![
            category(1, None, Some(5)),
            category(0, None, Some(5)),
            category(1, Some("x"), None),
        ];
        let no = CategoryNo::new(1).expect("in bounds");
        assert_eq!(
            ProgramChange::new(None, None, None, twice),
            Err(BadProgram::CategoryTwice(no))
        );
    }
}

//! Seats added to a stored program. A seat's index never changes, so seats are only appended: rows
//! behind the last seat of all, or new categories behind it.

use super::layout::Layout;
use super::program::{BadProgram, Category, NewCategory, Program, check_size, numbered};
use crate::message::{CategoryNo, SeatIndex};

/// More rows for a category.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoreRows {
    /// Number of the category.
    pub no: CategoryNo,
    /// How many rows it has afterwards.
    pub rows: u32,
}

/// Seats to add to a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatAddition {
    /// More rows for the category with the last seats.
    pub rows: Option<MoreRows>,
    /// New categories, numbered and placed behind all others in this order.
    pub categories: Vec<NewCategory>,
}

/// Why seats cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddition {
    /// The program has no such category.
    #[error("the program has no category {0}")]
    NoSuchCategory(CategoryNo),
    /// Seats cannot be removed.
    #[error(
        "category {no} has {has} rows; rows can only be added, so rows must be more (block seats \
         that are not to be sold)"
    )]
    NoMoreRows {
        /// The category.
        no: CategoryNo,
        /// Its rows.
        has: u32,
    },
    /// The indexes behind the category belong to another one.
    #[error(
        "the seats behind category {0} belong to category {1}; only category {1} can have more \
         rows: add a category instead"
    )]
    NotLast(CategoryNo, CategoryNo),
    /// The request adds nothing.
    #[error("name rows or categories to add")]
    Nothing,
    /// The program would exceed its bounds.
    #[error(transparent)]
    Bounds(#[from] BadProgram),
}

impl SeatAddition {
    /// The categories that the program has afterwards, ascending by number. All seats that it has
    /// keep their indexes.
    pub fn apply(&self, program: &Program) -> Result<Vec<Category>, BadAddition> {
        if self.rows.is_none() && self.categories.is_empty() {
            return Err(BadAddition::Nothing);
        }
        let mut categories = program.categories.clone();
        let last = categories.iter().max_by_key(|c| c.layout.first());
        let last = last.map(|category| (category.no, category.layout));
        let mut end = last.map_or(0, |(_, layout)| layout.first().get() + layout.seats());
        if let Some(MoreRows { no, rows }) = self.rows {
            let of = categories.iter_mut().find(|category| category.no == no);
            let category = of.ok_or(BadAddition::NoSuchCategory(no))?;
            let (first, row_len) = (category.layout.first(), category.layout.row_len());
            let has = category.layout.rows();
            if rows <= has {
                return Err(BadAddition::NoMoreRows { no, has });
            }
            if let Some((last, _)) = last.filter(|(last, _)| *last != no) {
                return Err(BadAddition::NotLast(no, last));
            }
            let layout = Layout::new(first, rows, row_len);
            category.layout = layout.map_err(|e| BadProgram::Layout(usize::from(no.get()), e))?;
            end = first.get() + category.layout.seats();
        }
        let new = self.categories.clone();
        let sizes = categories
            .iter()
            .map(|c| (c.layout.rows(), c.layout.row_len()));
        let more = new.iter().map(|c| (c.rows, c.row_len));
        check_size(sizes.chain(more))?;
        let first_no = categories.last().map_or(0, |c| usize::from(c.no.get()) + 1);
        let first = SeatIndex::new(end).map_err(|e| BadProgram::Layout(first_no, e));
        if !new.is_empty() {
            categories.extend(numbered(new, first_no, first?)?);
        }
        Ok(categories)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::program::{MAX_CATEGORIES, MAX_SEATS_PER_PROGRAM, NewProgram};
    use super::*;
    use crate::message::{Cents, ProgramId, Shard};

    fn new_category(rows: u32, row_len: u32) -> NewCategory {
        NewCategory {
            name: "Stalls".to_owned(),
            rows,
            row_len,
            price: Cents::new(900).expect("in bounds"),
        }
    }

    fn program(sizes: &[(u32, u32)]) -> Program {
        let categories = sizes
            .iter()
            .map(|(rows, row_len)| new_category(*rows, *row_len));
        let new = NewProgram::new("A play".to_owned(), categories.collect(), 900_000, 6);
        let id = ProgramId::new(65).expect("in bounds");
        new.expect("in bounds").stored(id, Shard::FIRST)
    }

    fn no(n: u16) -> CategoryNo {
        CategoryNo::new(n).expect("in bounds")
    }

    fn rows(n: u16, rows: u32) -> SeatAddition {
        SeatAddition {
            rows: Some(MoreRows { no: no(n), rows }),
            categories: vec![],
        }
    }

    proptest! {
        #[test]
        fn added_seats_follow_all_others(
            sizes in vec((1..9_u32, 1..9_u32), 1..5), more in 0..9_u32,
            added in vec((1..9_u32, 1..9_u32), 0..5),
        ) {
            prop_assume!(more > 0 || !added.is_empty());
            let mut program = program(&sizes);
            let last = sizes.len() - 1;
            let addition = SeatAddition {
                rows: (more > 0).then_some(MoreRows { no: no(last as u16), rows: sizes[last].0 + more }),
                categories: added.iter().map(|(rows, len)| new_category(*rows, *len)).collect(),
            };
            let before = program.clone();
            program.categories = addition.apply(&program).expect("in bounds");
            prop_assert_eq!(program.categories.len(), sizes.len() + added.len());
            let mut next = 0;
            for (n, category) in program.categories.iter().enumerate() {
                prop_assert_eq!(usize::from(category.no.get()), n);
                prop_assert_eq!(category.layout.first().get(), next);
                next += category.layout.seats();
            }
            for seat in before.categories.iter().flat_map(|category| category.layout.all()) {
                prop_assert_eq!(program.place(seat), before.place(seat), "no seat has moved");
            }
        }
    }

    #[test]
    fn each_impossible_addition_has_its_own_reason() {
        let program = program(&[(10, 12), (4, 3)]);
        let refused = |addition: &SeatAddition| addition.apply(&program).expect_err("refused");
        for (rows_of, has) in [(3, 4), (4, 4)] {
            let expected = BadAddition::NoMoreRows { no: no(1), has };
            assert_eq!(refused(&rows(1, rows_of)), expected);
        }
        assert_eq!(refused(&rows(0, 11)), BadAddition::NotLast(no(0), no(1)));
        assert_eq!(refused(&rows(2, 11)), BadAddition::NoSuchCategory(no(2)));
        let categories = |categories| SeatAddition {
            rows: None,
            categories,
        };
        assert_eq!(refused(&categories(vec![])), BadAddition::Nothing);
        let seats = MAX_SEATS_PER_PROGRAM - 132;
        let full = categories(vec![new_category(seats / 2, 2)]);
        assert!(full.apply(&program).is_err(), "too many rows");
        let full = categories(vec![new_category(400, 500)]);
        let expected = BadProgram::Seats(200_132);
        assert_eq!(refused(&full), BadAddition::Bounds(expected));
        let many = categories(vec![new_category(1, 1); MAX_CATEGORIES - 1]);
        assert_eq!(refused(&many), BadAddition::Bounds(BadProgram::Categories));
        let unnamed = NewCategory {
            name: String::new(),
            ..new_category(1, 1)
        };
        let expected = BadAddition::Bounds(BadProgram::CategoryName(2));
        assert_eq!(refused(&categories(vec![unnamed])), expected);
    }
}

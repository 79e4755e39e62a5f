//! The explanation of an invariant.

use crate::invariant::Invariant;

/// A paragraph for each question.
pub(crate) fn explain(invariant: &Invariant) -> String {
    let Invariant {
        number,
        name,
        about,
        promise,
        compared,
        matters,
        causes,
        repair,
        remedy,
    } = invariant;
    let by = repair.text();
    format!(
        "{number} ({name}, {about}): {promise}\n\n\
         Compared:  {compared}.\n\
         Matters:   {matters}\n\
         Causes:    {causes}\n\
         Repair:    {by}. {remedy}\n"
    )
}

//! The output.

use crate::apply::Failure;
use crate::plan::{Found, Planned, Refused};

/// Prints what would be repaired.
pub(crate) fn dry_run(found: &Found, refused: &[Refused]) {
    println!("Dry run: nothing is changed. --apply repairs.");
    for planned in &found.planned {
        line("would", planned);
    }
    for_person(found.refused.iter().chain(refused));
    let refused = found.refused.len() + refused.len();
    println!("{} planned, {refused} for a person", found.planned.len());
}

/// Prints what was repaired and what remains. Returns whether anything remains.
pub(crate) fn applied(
    before: &Found,
    after: &Found,
    refused: &[Refused],
    failures: &[Failure],
) -> bool {
    let remains = |planned: &&Planned| {
        let same =
            |other: &Planned| (other.number, &other.subject) == (planned.number, &planned.subject);
        after.planned.iter().any(same)
    };
    let mended: Vec<&Planned> = before.planned.iter().filter(|p| !remains(p)).collect();
    for planned in &mended {
        line("mended", planned);
    }
    for planned in &after.planned {
        line("remains", planned);
    }
    for Failure { subject, error } in failures {
        println!("failed   {subject}: {error}");
    }
    for_person(after.refused.iter().chain(refused));
    let refused = after.refused.len() + refused.len();
    let (mended, remaining) = (mended.len(), after.planned.len());
    println!("{mended} mended, {remaining} remain, {refused} for a person");
    remaining + refused + failures.len() > 0
}

fn line(what: &str, planned: &Planned) {
    let Planned {
        number,
        subject,
        change,
        ..
    } = planned;
    println!("{what:<8} {number} {subject}: {change}");
}

fn for_person<'a>(refused: impl Iterator<Item = &'a Refused>) {
    for Refused { number, found, why } in refused {
        println!("person   {number} {found}: {why}");
    }
}

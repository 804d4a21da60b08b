//! Products that are suspected to have been renamed. They are told apart from products that came,
//! went or grew.

use chrono::{Days, NaiveDate};

use super::RenameSuspect;

/// A renaming within the week, or within the fortnight before it, whose figures may be carried,
/// looks like seats that were lost and won.
const RENAMED_WITHIN: Days = Days::new(21);

/// The names of which neither is a mover.
pub(super) fn names_of_late(suspects: &[RenameSuspect], newest: Option<NaiveDate>) -> Vec<String> {
    let late = suspects.iter().filter(|suspect| {
        let since = suspect.since.map(|since| since + RENAMED_WITHIN);
        since > newest
    });
    let names = late.flat_map(|it| [&it.old_product_name, &it.new_product_name]);
    names.cloned().collect()
}

/// The names that did not end.
pub(super) fn old_names(suspects: &[RenameSuspect]) -> Vec<String> {
    let names = suspects.iter().map(|it| &it.old_product_name);
    names.cloned().collect()
}

/// The names that did not begin.
pub(super) fn new_names(suspects: &[RenameSuspect]) -> Vec<String> {
    let names = suspects.iter().map(|it| &it.new_product_name);
    names.cloned().collect()
}

//! One file for each list that the API has, and the pager that they share.

pub(super) mod customers;
pub(super) mod pager;
pub(super) mod partner_wide;
pub(super) mod probe;
pub(super) mod usage;

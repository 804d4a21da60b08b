//! The API's endpoints: one file for each, and the pager that their lists share.

pub(super) mod customers;
pub(super) mod pager;
pub(super) mod partner_wide;
pub(super) mod probe;
pub(super) mod usage;

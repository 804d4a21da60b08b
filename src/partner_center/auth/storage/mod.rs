//! What a sign-in keeps on disk: the refresh token, and beside it the dates of the consent.

pub(super) mod consent_file;
pub(super) mod durable_file;
pub(super) mod refresh_store;

//! What passes through the server, whichever endpoint it is for.

pub(crate) mod record;
pub(crate) mod scripts;
pub(crate) mod stats;

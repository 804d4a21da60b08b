//! Connections of their own, apart from the pool, for what the status address shows.

mod pages;
mod status;

pub use pages::{PageReader, PageWork};
pub(crate) use status::Reader;

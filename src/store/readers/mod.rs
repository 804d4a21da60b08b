//! Connections of their own, apart from the pool, for what the status address shows.

mod downloads;
mod pages;
mod status;

pub(crate) use downloads::{Download, Downloads, FileFormat};
pub use pages::{PageReader, PageWork};
pub(crate) use status::Reader;

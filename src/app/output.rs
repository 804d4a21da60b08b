//! What commands print: answers on standard output, and on standard error why they could not do
//! their work.

use std::io::{self, Write as _};
use std::panic;

use anyhow::Context as _;

use tracing::Level;

use crate::telemetry::{is_journal, with_priority};

/// One line on standard output.
pub(super) fn say(text: &str) -> anyhow::Result<()> {
    print(&format!("{text}\n"))
}

/// Writes all of a text to standard output. A reader that closes the pipe early, such as `head`, is
/// not an error, and the exit code still says how the command went. Anything else is, such as a
/// full disk.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output cannot be written to"),
    }
}

/// One message on standard error. If that is closed, nothing is left to report to.
pub(super) fn complain(text: &str) {
    let mut message = format!("seatledger: {text}\n");
    if is_journal() {
        message = with_priority(Level::ERROR, &message);
    }
    let _written = io::stderr().write_all(message.as_bytes());
}

/// Has panics written as complaints if standard error is the journal.
pub(super) fn complain_of_panics() {
    if is_journal() {
        panic::set_hook(Box::new(|panic| complain(&panic.to_string())));
    }
}

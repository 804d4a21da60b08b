//! Opens a page in the person's browser. The browser outlives this program and runs what pages send
//! it, so that it gets the page and what a desktop needs, and nothing else of ours: no environment,
//! no open files.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use close_fds::CloseFdsBuilder;
use url::Url;

/// What opens pages: on desktops, under Windows' subsystem for Linux, and on Debian without a
/// desktop.
const OPENERS: [&str; 3] = ["xdg-open", "wslview", "x-www-browser"];

/// `environment` is all that the browser gets to know of ours.
///
/// # Errors
/// When there is nothing to open pages with. Whether a browser then shows it nobody says.
pub(super) fn open(page: &Url, environment: &BTreeMap<String, String>) -> io::Result<()> {
    // Our own files close by themselves when another program begins. Those that this program was
    // started with, which may hold secrets, do not.
    CloseFdsBuilder::new().cloexecfrom(3);
    let mut last = Err(io::ErrorKind::NotFound.into());
    for opener in OPENERS {
        let begun = Command::new(opener)
            .arg(page.as_str())
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Whoever interrupts this program goes on browsing.
            .process_group(0)
            .spawn();
        match begun {
            Ok(_goes_on) => return Ok(()),
            Err(error) => last = Err(error),
        }
    }
    last
}

//! Opens a page in the person's browser. The browser outlives this program and executes code from
//! web pages, so it inherits neither our environment nor our open files.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use close_fds::CloseFdsBuilder;
use url::Url;

/// Programs that open a page: on desktops, on the Windows Subsystem for Linux, and on Debian
/// without a desktop.
const OPENERS: [&str; 3] = ["xdg-open", "wslview", "x-www-browser"];

/// `environment` is the whole environment of the browser.
///
/// # Errors
/// When none of the programs can be started. Success does not prove that the page is shown.
pub(super) fn open(page: &Url, environment: &BTreeMap<String, String>) -> io::Result<()> {
    // The files that we open are closed in child processes anyway. The files that this process has
    // inherited are not, and they may hold secrets.
    CloseFdsBuilder::new().cloexecfrom(3);
    let mut last = Err(io::ErrorKind::NotFound.into());
    for opener in OPENERS {
        let started = Command::new(opener)
            .arg(page.as_str())
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in the terminal must not reach the browser.
            .process_group(0)
            .spawn();
        match started {
            Ok(_child) => return Ok(()),
            Err(error) => last = Err(error),
        }
    }
    last
}

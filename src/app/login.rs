//! `seatledger login`: a person signs in by device code.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::lifecycle::{Exit, Lifecycle};
use crate::partner_center::Login;

use super::{complain, say};

pub(super) async fn run(
    config: &Config,
    clock: Arc<dyn Clock>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Exit> {
    let Some(login) = Login::new(&config.partner_center, &config.auth, clock)? else {
        complain("there is nobody to sign in: auth.method is not \"refresh_token\"");
        return Ok(Exit::CouldNotRun);
    };
    let code = login.begin().await?;
    say(&format!(
        "Open {} and enter the code {}\nSign in there as a user of the partner tenant who may read analytics, with multi-factor authentication.\nWaiting …",
        printable(&code.verification_uri),
        printable(&code.user_code)
    ))?;
    let file = login.finish(&code, &lifecycle.stop).await?;
    say(&format!(
        "Signed in. The refresh token is kept in {}; try it with: seatledger check",
        file.display()
    ))?;
    Ok(Exit::Success)
}

/// A terminal must not obey what a server sends.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

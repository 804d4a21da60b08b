//! `seatledger login`: signs a person in, in a browser on this machine, or by a code entered on
//! another device.

mod browser;
mod ownership;

use std::path::Path;
use std::sync::Arc;

use tracing::debug;

use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config::Config;
use crate::lifecycle::{Exit, Lifecycle, notify_ended, notify_ready};
use crate::partner_center::{ConsentFile, Login, Mfa, SignedIn};
use crate::printable::printable;
use crate::store::{Instance, Store};

use super::{complain, say};

const REQUIRED_USER: &str =
    "a user of the partner tenant who may read analytics, with multi-factor authentication";

pub(super) async fn run(
    config: &Config,
    clock: Arc<dyn Clock>,
    by_device_code: bool,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Exit> {
    let login = Login::new(
        &config.partner_center,
        &config.auth,
        config.retry.with_likely_permanent(super::START_RETRY),
        clock,
    )?;
    let Some(login) = login else {
        complain("no person signs in by this configuration: auth.method is not \"refresh_token\"");
        return Ok(Exit::NeedsPerson);
    };
    let signed_in = if by_device_code {
        with_code(&login, lifecycle).await?
    } else {
        in_browser(&login, config, lifecycle).await?
    };
    say(&format!(
        "Signed in. {}\nThe refresh token is stored in {}. It is valid until {} and is renewed \
         at every use.\nTest it with: seatledger check",
        describe_mfa(signed_in.mfa),
        signed_in.file.display(),
        signed_in.expires_at.format("%Y-%m-%d")
    ))?;
    if let Some(note) = ownership::note(&signed_in.file, is_default(config, &signed_in.file)) {
        say(&note)?;
    }
    record_consent(config).await;
    notify_ended("Signed in");
    Ok(Exit::Success)
}

async fn in_browser(
    login: &Login,
    config: &Config,
    lifecycle: &Lifecycle,
) -> anyhow::Result<SignedIn> {
    let sign_in = login.begin_in_browser().await?;
    say(&format!(
        "Open this page in a browser on this machine, and sign in there as \
         {REQUIRED_USER}:\n\n{}\n\nWaiting … The app registration needs the redirect URI \
         http://localhost for this. Without a browser on this machine: seatledger login \
         --device-code",
        sign_in.page()
    ))?;
    // A convenience: if it fails, the person copies the address.
    if let Some(environment) = &config.browser_environment
        && let Err(error) = browser::open(sign_in.page(), environment)
    {
        debug!(%error, "No browser could be opened");
    }
    Ok(login
        .finish_in_browser(sign_in, &lifecycle.shutdown)
        .await?)
}

async fn with_code(login: &Login, lifecycle: &Lifecycle) -> Result<SignedIn, anyhow::Error> {
    let code = login.begin_with_code(&lifecycle.shutdown).await?;
    let step = format!(
        "Open {} and enter the code {}",
        printable(&code.verification_uri),
        printable(&code.user_code)
    );
    say(&format!(
        "{step}\nSign in there as {REQUIRED_USER}.\nWaiting …"
    ))?;
    // As a unit the command counts as started once there is a code.
    notify_ready(&step);
    Ok(login.finish_with_code(&code, &lifecycle.shutdown).await?)
}

/// Whether the file is at the default path without a state folder: beside the configuration file.
fn is_default(config: &Config, file: &Path) -> bool {
    let beside = std::path::absolute(&config.path).map(|path| path.with_file_name("refresh_token"));
    beside.is_ok_and(|beside| beside == file)
}

/// What the token says. Only the API verifies its signature.
pub(super) fn describe_mfa(mfa: Mfa) -> &'static str {
    match mfa {
        Mfa::Used => {
            "The token says that multi-factor authentication was used (its signature is not \
             checked here)."
        }
        Mfa::Unknown => "Whether multi-factor authentication was used cannot be seen in the token.",
        Mfa::NoUser => "No person signed in.",
    }
}

/// Records the dates of the consent for `status`. The database need not be available yet; the next
/// run records them as well.
async fn record_consent(config: &Config) {
    let Some(Ok(Some(consent))) = ConsentFile::of(&config.auth).map(|file| file.load()) else {
        return;
    };
    let recorded = match Store::new(&config.database) {
        Ok(store) => {
            store
                .record_consent(&Instance::of_process().host, &consent)
                .await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = recorded {
        let error = with_causes(&error);
        debug!(error, "The age of the consent could not be recorded");
    }
}

//! Finds secrets in files that everybody on the machine may read or change. No fault: it may be
//! meant so in a container.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::Surroundings;
use super::fault::Place;
use super::keys;
use super::settings::Settings;

/// May others than owner and group read or write it?
const OTHERS: u32 = 0o006;

/// Warns where everybody may read `what` in a file, unless systemd put it there.
pub(super) fn warn(settings: &mut Settings, surroundings: &Surroundings, what: &str, path: &Path) {
    let credentials = surroundings.credentials.as_ref();
    if credentials.is_some_and(|folder| path.starts_with(folder)) {
        return;
    }
    warn_of(settings, what, path);
}

/// Warns where the configuration file holds a secret and everybody may read it.
pub(super) fn warn_of_configuration(settings: &mut Settings, path: &Path) {
    let held: Vec<&str> = [
        keys::CLIENT_SECRET,
        keys::REFRESH_TOKEN,
        keys::ACCESS_TOKEN,
        keys::DATABASE_URL,
    ]
    .into_iter()
    .filter(|key| matches!(settings.given_at(key), Some(Place::File(_))))
    .filter(|key| {
        **key != *keys::DATABASE_URL
            || settings
                .text_at(key)
                .is_some_and(|url| holds_password(&url))
    })
    .map(|key| key.path)
    .collect();
    if !held.is_empty() {
        warn_of(settings, &held.join(" and "), path);
    }
}

fn warn_of(settings: &mut Settings, what: &str, path: &Path) {
    // What is not there, or is no file, is judged elsewhere.
    let Ok(metadata) = path.metadata() else {
        return;
    };
    let others = metadata.mode() & OTHERS;
    if !metadata.is_file() || others == 0 {
        return;
    }
    let may = match others {
        0o002 => "write",
        0o004 => "read",
        _ => "read and write",
    };
    settings.warn(format!(
        "every user of this machine may {may} {what} in {path} (mode {:04o}); put an end to it: \
         chmod o-rwx {path}",
        metadata.mode() & 0o7777,
        path = path.display(),
    ));
}

/// Whether an address of a database has a password, in either of its places.
fn holds_password(url: &str) -> bool {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let user = rest.rsplit_once('@').map_or("", |(user, _)| user);
    user.split_once(':')
        .is_some_and(|(_, password)| !password.is_empty())
        || rest.contains("password=")
}

#[cfg(test)]
mod tests {
    use super::holds_password;

    #[test]
    fn an_address_without_a_password_is_no_secret() {
        for url in [
            "postgres://seatledger@localhost/seatledger",
            "postgres://localhost:5432/seatledger",
            "postgres://seatledger:@localhost/x",
            "",
        ] {
            assert!(!holds_password(url), "{url}");
        }
        for url in [
            "postgres://seatledger:p@localhost/x",
            "postgres://seatledger:p/a@b?c@localhost/x",
            "postgres://localhost/x?user=y&password=p",
        ] {
            assert!(holds_password(url), "{url}");
        }
    }
}

//! Warns of secrets in files that every user of the machine may read or write. It is not a fault,
//! because in a container it may be intended.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::config::fault::Origin;
use crate::config::keys;
use crate::config::reader::SettingsReader;
use crate::config::sources::BaseDirs;

/// The mode bits of users who are neither the owner nor in the group.
const OTHERS: u32 = 0o006;

/// Warns if every user may read or write the file that holds `secret`. Files of systemd's
/// credentials are exempt.
pub(in crate::config) fn warn(
    reader: &mut SettingsReader,
    dirs: &BaseDirs,
    secret: &str,
    path: &Path,
) {
    let credentials = dirs.credentials.as_ref();
    if credentials.is_some_and(|folder| path.starts_with(folder)) {
        return;
    }
    warn_if_exposed(reader, secret, path);
}

/// Warns if the configuration file holds a secret and every user may read or write it.
pub(in crate::config) fn warn_of_configuration(reader: &mut SettingsReader, path: &Path) {
    let held: Vec<&str> = [
        keys::CLIENT_SECRET,
        keys::REFRESH_TOKEN,
        keys::ACCESS_TOKEN,
        keys::DATABASE_URL,
        keys::PING_URL,
        keys::WEBHOOK_URL,
        keys::WEBHOOK_SECRET,
    ]
    .into_iter()
    .filter(|key| matches!(reader.origin(key), Some(Origin::File(_))))
    .filter(|key| {
        **key != *keys::DATABASE_URL || reader.text_at(key).is_some_and(|url| holds_password(&url))
    })
    .map(|key| key.path)
    .collect();
    if !held.is_empty() {
        warn_if_exposed(reader, &held.join(" and "), path);
    }
}

fn warn_if_exposed(reader: &mut SettingsReader, secret: &str, path: &Path) {
    // A missing file is reported elsewhere.
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
    reader.warn(format!(
        "every user of this machine may {may} {secret} in {path} (mode {:04o}); restrict it: \
         chmod o-rwx {path}",
        metadata.mode() & 0o7777,
        path = path.display(),
    ));
}

/// Whether a database URL contains a password, before the host or as a parameter.
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
    fn a_url_without_a_password_is_not_a_secret() {
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

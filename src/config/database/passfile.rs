//! libpq's password file: one `host:port:database:user:password` on each line; `*` matches
//! anything. It is read only if the address has no password.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use secrecy::SecretString;
use tracing::warn;

use super::hosts::Host;

/// The maximum size of a password file in bytes. A larger file holds something else, and reading it
/// could fill the memory.
const MAX_BYTES: u64 = 1 << 20;

/// The password of the first line that matches. None if there is no such file, or if other users
/// may read it.
pub(super) fn look_up(
    path: &Path,
    host: &Host,
    database: &str,
    user: &str,
) -> Option<SecretString> {
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return None;
    }
    if metadata.mode() & 0o077 != 0 {
        warn!(
            file = %path.display(),
            "The password file {0} is ignored, because other users may read it: chmod 0600 {0}",
            path.display()
        );
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    let (name, port) = match host {
        Host::Tcp(name, port) => (name.clone(), port),
        // Like libpq.
        Host::Socket(folder, port) if folder.ends_with("run/postgresql") => {
            ("localhost".to_owned(), port)
        }
        Host::Socket(folder, port) => (folder.display().to_string(), port),
    };
    let wanted = [name.as_str(), &port.to_string(), database, user];
    text.lines().find_map(|line| matching(line, wanted))
}

fn matching(line: &str, wanted: [&str; 4]) -> Option<SecretString> {
    let mut rest = line.trim_end_matches('\r');
    if rest.starts_with('#') {
        return None;
    }
    for wanted in wanted {
        let (field, after) = field(rest);
        if field != "*" && unescaped(field) != wanted {
            return None;
        }
        rest = after?;
    }
    let password = unescaped(rest);
    (!password.is_empty()).then(|| SecretString::from(password))
}

/// The text up to the next unescaped colon, and the text after it.
fn field(text: &str) -> (&str, Option<&str>) {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ':' => return (&text[..at], Some(&text[at + 1..])),
            _ => {}
        }
    }
    (text, None)
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => chars.next().unwrap_or('\\'),
            c => c,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn the_first_matching_line_has_the_password_unless_others_may_read_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "# db:5432:ledger:me:comment\nother:*:*:*:no\ndb:5433:*:*:no\n\
                    db:5432:led\\:ger:me:a\\:b\\\\c:d\r\n*:*:*:*:any\n";
        std::fs::write(file.path(), text).unwrap();
        let look_up = |host: &Host, database| {
            let password = look_up(file.path(), host, database, "me");
            password.map(|password| password.expose_secret().to_owned())
        };
        let db = Host::Tcp("db".to_owned(), 5432);
        assert_eq!(look_up(&db, "led:ger").as_deref(), Some("a:b\\c:d"));
        assert_eq!(look_up(&db, "ledger").as_deref(), Some("any"));
        let mode = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(file.path(), mode).unwrap();
        assert_eq!(look_up(&db, "ledger"), None);
    }
}

//! libpq's file of passwords: `host:port:database:user:password`, a line each; `*` fits anything.
//! It is looked into only where the address has no password.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use secrecy::SecretString;
use tracing::warn;

use super::Host;

/// A file of passwords is short.
const MAX_BYTES: u64 = 1 << 20;

/// The first line that fits. None where there is no such file, or others may read it.
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
            "The file of passwords {} is passed over: others may read it; chmod 0600",
            path.display()
        );
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    let (name, port) = match host {
        Host::Tcp(name, port) => (name.clone(), port),
        // As libpq has it.
        Host::Socket(folder, port) if folder.ends_with("run/postgresql") => {
            ("localhost".to_owned(), port)
        }
        Host::Socket(folder, port) => (folder.display().to_string(), port),
    };
    let wanted = [name.as_str(), &port.to_string(), database, user];
    text.lines().find_map(|line| fitting(line, wanted))
}

fn fitting(line: &str, wanted: [&str; 4]) -> Option<SecretString> {
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

/// Up to the next colon that no backslash precedes, and what follows it.
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
    fn the_first_line_that_fits_gives_the_password_unless_others_may_read_the_file() {
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

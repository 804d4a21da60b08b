//! Whose a file is that a sign-in has just written: root who signs in for a service may have
//! written one that the service does not read.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What to tell root after a sign-in, which may have been meant for a service. None for any other
/// user.
///
/// `is_default`: nobody said where the file is to be, and there was no state folder either.
pub(super) fn note(file: &Path, is_default: bool) -> Option<String> {
    // The owner of what the kernel shows of this process is who it runs as.
    let ourselves = std::fs::metadata("/proc/self").ok()?.uid();
    let owner = std::fs::metadata(file).ok()?.uid();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    (ourselves == 0).then(|| words(file, &user(&users, owner), owner == 0, is_default))
}

fn words(file: &Path, owner: &str, is_ours: bool, is_default: bool) -> String {
    let mut words = format!("You are root. {} belongs to {owner}", file.display());
    words.push_str(if is_ours {
        ": a service that runs as another user will not read it, unless it is given the file \
         (chown)."
    } else {
        ", as its folder or the file before it does, so that a service that runs as that user \
         reads it, and as another will not read it."
    });
    if is_default {
        let _written = write!(
            words,
            "\nA service under systemd keeps its token in its state folder \
             ($STATE_DIRECTORY/refresh_token, such as /var/lib/seatledger/refresh_token) and will \
             not read this file: sign in with the service's user and state folder, as \
             systemd/README.md shows, or set auth.refresh_token_file."
        );
    }
    words
}

/// A user by name where there is one.
fn user(users: &str, id: u32) -> String {
    let of_id = |line: &&str| line.split(':').nth(2) == Some(&id.to_string());
    match users
        .lines()
        .find(of_id)
        .and_then(|line| line.split(':').next())
    {
        Some(name) => format!("{name} (uid {id})"),
        None => format!("uid {id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str =
        "root:x:0:0:root:/root:/bin/sh\nseatledger:x:998:998::/:/usr/sbin/nologin\n";

    #[test]
    fn root_is_told_who_will_not_read_the_file() {
        let file = Path::new("/etc/seatledger/refresh_token");
        let ours = words(file, &user(USERS, 0), true, true);
        for part in [
            "/etc/seatledger/refresh_token",
            "root (uid 0)",
            "will not read",
            "STATE_DIRECTORY",
        ] {
            assert!(ours.contains(part), "{part}: {ours}");
        }
        let theirs = words(file, &user(USERS, 998), false, false);
        assert!(theirs.contains("seatledger (uid 998)"), "{theirs}");
        assert!(!theirs.contains("STATE_DIRECTORY"), "{theirs}");
        assert_eq!(user(USERS, 5), "uid 5");
    }
}

//! Warns root after a sign-in if the service that the sign-in was for may not be able to read the
//! token's file.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// A note for root about the owner of `file`; none for any other user.
///
/// `is_default`: neither a setting nor a state folder determined the path.
pub(super) fn note(file: &Path, is_default: bool) -> Option<String> {
    // This folder belongs to the user who runs the process.
    let our_uid = std::fs::metadata("/proc/self").ok()?.uid();
    let owner = std::fs::metadata(file).ok()?.uid();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    (our_uid == 0).then(|| words(file, &user(&users, owner), owner == 0, is_default))
}

fn words(file: &Path, owner: &str, is_ours: bool, is_default: bool) -> String {
    let mut words = format!("You are root. {} belongs to {owner}", file.display());
    words.push_str(if is_ours {
        ": a service that runs as another user will not read it, unless you give it the file \
         (chown)."
    } else {
        ", like its folder or the file before it: a service that runs as that user can read it, \
         and \
         one that runs as another user will not read it."
    });
    if is_default {
        words.push_str(
            "\nA service under systemd keeps its token in its state folder \
             ($STATE_DIRECTORY/refresh_token, such as /var/lib/seatledger/refresh_token) and will \
             not read this file: sign in with the service's user and state folder, as \
             systemd/README.md shows, or set auth.refresh_token_file.",
        );
    }
    words
}

/// A user by name, or by ID if there is no name.
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
    fn root_is_told_whose_the_file_is() {
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

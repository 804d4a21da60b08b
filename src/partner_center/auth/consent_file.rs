//! The file beside the refresh token's that says how old the consent is. Nothing in it is secret,
//! and no sign-in depends on it: where it is missing or cannot be written, only the figures of
//! `status` suffer.

use std::io;
use std::path::PathBuf;

use super::kept_file::{self, target_of};
use crate::config;
use crate::consent::Consent;

/// More than the dates take.
const ROOM: usize = 512;

/// Where the dates of the consent are kept.
#[derive(Debug, Clone)]
pub struct ConsentFile {
    path: PathBuf,
}

impl ConsentFile {
    /// None where no person signs in.
    #[must_use]
    pub fn of(auth: &config::Auth) -> Option<Self> {
        match &auth.method {
            config::Method::RefreshToken { file, .. } => Some(Self::beside(file.clone())),
            config::Method::ClientCredentials { .. } | config::Method::AccessToken(_) => None,
        }
    }

    /// Beside the token itself, where the token's file is a link.
    pub(super) fn beside(refresh_token: PathBuf) -> Self {
        let target = target_of(&refresh_token).unwrap_or(refresh_token);
        let mut path = target.into_os_string();
        path.push(".consent");
        Self { path: path.into() }
    }

    /// What is known; none where no token was renewed yet.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn load(&self) -> io::Result<Option<Consent>> {
        match std::fs::read(&self.path) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts `consent` in the place of what was known, readable to the owner only, as a whole or not
    /// at all.
    pub(super) fn keep(&self, consent: &Consent) -> io::Result<()> {
        let mut text = serde_json::to_vec(consent)?;
        text.push(b'\n');
        // Whoever renews the token holds its lock.
        kept_file::reserve(&self.path, ROOM.max(text.len()), false)?.keep(&text)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use chrono::DateTime;

    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = ConsentFile::beside(folder.path().join("refresh_token"));
        assert_eq!(file.load().unwrap(), None);
        let consent = Consent::given(DateTime::UNIX_EPOCH, Duration::from_hours(24));
        file.keep(&consent).unwrap();
        assert_eq!(file.load().unwrap(), Some(consent));
        let path = folder.path().join("refresh_token.consent");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(path, "not JSON").unwrap();
        assert!(file.load().is_err());
    }
}

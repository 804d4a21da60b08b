//! The file beside the refresh token that holds the dates of the consent. It holds no secret, and
//! no sign-in depends on it: without it only the dates that `status` shows are missing.

use std::io;
use std::path::PathBuf;

use super::durable_file::{self, target_of};
use crate::config;
use crate::consent::Consent;

/// Bytes reserved before the file is written; the dates take less.
const RESERVED_BYTES: usize = 512;

/// Where the dates of the consent are kept.
#[derive(Debug, Clone)]
pub struct ConsentFile {
    path: PathBuf,
}

impl ConsentFile {
    /// None if no person signs in.
    #[must_use]
    pub fn of(auth: &config::Auth) -> Option<Self> {
        match &auth.method {
            config::Method::RefreshToken { file, .. } => Some(Self::beside(file.clone())),
            config::Method::ClientCredentials { .. } | config::Method::AccessToken(_) => None,
        }
    }

    /// If the token's file is a symbolic link, the file is beside the link's target.
    pub(in crate::partner_center::auth) fn beside(refresh_token: PathBuf) -> Self {
        let target = target_of(&refresh_token).unwrap_or(refresh_token);
        let mut path = target.into_os_string();
        path.push(".consent");
        Self { path: path.into() }
    }

    /// The saved dates; none if no token was renewed yet.
    ///
    /// # Errors
    /// When the file exists and cannot be read.
    pub fn load(&self) -> io::Result<Option<Consent>> {
        match std::fs::read(&self.path) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the saved dates. Only the owner may read the file. The caller holds the lock of the
    /// refresh token.
    pub(in crate::partner_center::auth) fn save(&self, consent: &Consent) -> io::Result<()> {
        let mut text = serde_json::to_vec(consent)?;
        text.push(b'\n');
        let room = RESERVED_BYTES.max(text.len());
        durable_file::reserve(&self.path, room, false)?.commit(&text)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use chrono::DateTime;

    use super::*;

    #[test]
    fn saved_dates_are_loaded_and_only_their_owner_may_read_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = ConsentFile::beside(folder.path().join("refresh_token"));
        assert_eq!(file.load().unwrap(), None);
        let consent = Consent::given(DateTime::UNIX_EPOCH, Duration::from_hours(24));
        file.save(&consent).unwrap();
        assert_eq!(file.load().unwrap(), Some(consent));
        let path = folder.path().join("refresh_token.consent");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(path, "not JSON").unwrap();
        assert!(file.load().is_err());
    }
}

//! The file that keeps the refresh token across renewals. Replaced atomically, mode 0600, and proved writable
//! before a token is spent: a renewed token that cannot be kept would end in a sign-in that nobody can repeat.

use std::fs::{File, TryLockError};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tempfile::NamedTempFile;
use tokio::time::Instant;
use tracing::warn;

/// Room for any token Microsoft issues; reserved before the old one is spent, so that a full disk shows in time.
const RESERVED_BYTES: usize = 16 * 1024;

/// What a slot is called until the token in it takes its place.
pub(super) const SLOT_PREFIX: &str = ".seatledger-refresh-token-";

/// No renewal takes longer; whoever holds the lock for longer hangs.
const LOCK_PATIENCE: Duration = Duration::from_mins(2);

/// Where the refresh token lives.
#[derive(Debug, Clone)]
pub(super) struct RefreshStore {
    path: PathBuf,
}

/// A writable place for the next token, beside the present one.
pub(super) struct Slot {
    file: NamedTempFile,
    path: PathBuf,
}

/// Where the slot of a file lies, so that it can take the file's place.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

impl RefreshStore {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn folder(&self) -> &Path {
        folder_of(&self.path)
    }

    /// Waits until no other process renews, but not for ever. The lock ends with the returned file, or with its process.
    /// What a killed process left beside the token is cleared away.
    pub(super) async fn lock(&self) -> io::Result<File> {
        let folder = File::open(self.folder())?;
        let waited = Instant::now();
        let locked = loop {
            match folder.try_lock() {
                Err(TryLockError::WouldBlock) if waited.elapsed() < LOCK_PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                locked => break locked,
            }
        };
        match locked {
            // Only the holder may clear up: anybody else's slot may be in use.
            Ok(()) => {
                if let Err(error) = self.clear_leftovers() {
                    warn!(%error, "What a killed process left beside the refresh token cannot be cleared away");
                }
            }
            // Where there is no lock to be had, as on some network file systems, the token is kept all the same: only
            // two processes at once might each renew.
            Err(error) => {
                warn!(%error, "Signing in without the lock on the refresh token's folder");
            }
        }
        Ok(folder)
    }

    fn clear_leftovers(&self) -> io::Result<()> {
        for entry in self.folder().read_dir()? {
            let entry = entry?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(SLOT_PREFIX.as_bytes()) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// The kept token; none where there is no file yet or it is blank.
    pub(super) fn load(&self) -> io::Result<Option<SecretString>> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) if text.trim().is_empty() => Ok(None),
            Ok(text) => Ok(Some(SecretString::from(text.trim().to_owned()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Proves that the next token can be kept.
    pub(super) fn reserve(&self) -> io::Result<Slot> {
        if self.path.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        let mut file = tempfile::Builder::new()
            .prefix(SLOT_PREFIX)
            .tempfile_in(self.folder())?;
        file.write_all(&[b' '; RESERVED_BYTES])?;
        file.as_file().sync_all()?;
        Ok(Slot {
            file,
            path: self.path.clone(),
        })
    }
}

impl Slot {
    /// Puts `token` in the place of the old one, durably.
    pub(super) fn keep(mut self, token: &SecretString) -> io::Result<()> {
        let token = token.expose_secret().as_bytes();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(token)?;
        self.file.as_file().set_len(token.len() as u64)?;
        self.file.as_file().sync_all()?;
        let folder = self.file.path().parent().map(Path::to_owned);
        self.file.persist(&self.path).map_err(|error| error.error)?;
        // The new name is durable only once the folder is.
        folder.map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn store() -> (tempfile::TempDir, RefreshStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = RefreshStore::new(folder.path().join("refresh_token"));
        (folder, store)
    }

    #[test]
    fn a_kept_token_comes_back_whole_and_only_its_owner_may_read_it() {
        let (_folder, store) = store();
        assert!(store.load().unwrap().is_none());
        for token in ["a-long-first-token", "short"] {
            store
                .reserve()
                .unwrap()
                .keep(&SecretString::from(token))
                .unwrap();
            assert_eq!(store.load().unwrap().unwrap().expose_secret(), token);
        }
        let mode = std::fs::metadata(store.path())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn an_unused_reservation_leaves_the_old_token_and_nothing_else() {
        let (folder, store) = store();
        store
            .reserve()
            .unwrap()
            .keep(&SecretString::from("old"))
            .unwrap();
        drop(store.reserve().unwrap());
        assert_eq!(store.load().unwrap().unwrap().expose_secret(), "old");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[tokio::test]
    async fn what_a_killed_process_left_is_cleared_away() {
        let (folder, store) = store();
        let token = SecretString::from("kept");
        store.reserve().unwrap().keep(&token).unwrap();
        let (_file, left) = store.reserve().unwrap().file.keep().unwrap();
        store.lock().await.unwrap();
        assert!(!left.exists());
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_found_out_beforehand() {
        let (folder, store) = store();
        std::fs::create_dir(store.path()).unwrap();
        assert!(store.reserve().is_err());
        let nowhere = RefreshStore::new(folder.path().join("missing").join("refresh_token"));
        assert!(nowhere.reserve().is_err());
    }

    #[tokio::test]
    async fn only_one_renews_at_a_time() {
        let (_folder, store) = store();
        let held = store.lock().await.unwrap();
        let second = tokio::time::timeout(Duration::from_millis(250), store.lock()).await;
        assert!(second.is_err());
        drop(held);
        store.lock().await.unwrap();
    }
}

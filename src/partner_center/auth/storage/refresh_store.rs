//! The file that keeps the refresh token across renewals. It is locked during a renewal, and
//! checked to be writable before a token is spent: the authority may revoke the old token as soon
//! as it issues the next, and if the next one is lost a person has to sign in again.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;
use tracing::warn;

use super::durable_file::{self, Reservation, TEMPORARY_PREFIX, folder_of, target_of};
use crate::text::secret;

/// Bytes reserved on disk before a token is spent; more than any token that Microsoft issues.
/// Without the reservation a full disk would show only once the old token is spent.
const RESERVED_BYTES: usize = 16 * 1024;

/// How long a renewal waits for that of another process. After that the other process is taken to
/// hang, and this one renews without the lock.
const LOCK_TIMEOUT: Duration = Duration::from_mins(2);

/// How long a mere check waits for the lock: a person is watching, and if another process holds
/// the lock, that process proves that the file can be written.
const CHECK_LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a lock that another process holds is tried again.
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Where the refresh token is stored.
#[derive(Debug, Clone)]
pub(in crate::partner_center::auth) struct RefreshStore {
    path: PathBuf,
}

/// Keeps other processes from renewing the token. Released when dropped, or when the process ends.
#[derive(Debug)]
pub(in crate::partner_center::auth) struct RenewalLock {
    /// Covers files that are renamed over each other.
    folder: LockState,
    /// Covers a file that is mounted by itself into several containers.
    file: LockState,
}

#[derive(Debug)]
enum LockState {
    Held {
        _until_dropped: File,
    },
    HeldElsewhere,
    /// The file cannot be opened, or its file system has no locks.
    Unsupported,
}

impl RenewalLock {
    /// Whether it is certain that no other process renews. The file's lock alone is not enough: the
    /// file may have been renamed over.
    fn is_exclusive(&self) -> bool {
        matches!(self.folder, LockState::Held { .. })
            && !matches!(self.file, LockState::HeldElsewhere)
    }
}

impl RefreshStore {
    pub(in crate::partner_center::auth) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(in crate::partner_center::auth) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until no other process renews, for at most [`LOCK_TIMEOUT`]. Deletes the temporary
    /// files of killed processes.
    pub(in crate::partner_center::auth) async fn lock(&self) -> io::Result<RenewalLock> {
        let lock = self.lock_within(LOCK_TIMEOUT).await?;
        if !lock.is_exclusive() {
            // Some network file systems have no locks, and a process that hangs keeps its lock. The
            // renewal goes on without one: only if two processes renew at the same moment could
            // each spend the token.
            warn!(
                folder = ?lock.folder,
                file = ?lock.file,
                "Signing in without the lock on the refresh token {}",
                self.path.display()
            );
        }
        Ok(lock)
    }

    async fn lock_within(&self, timeout: Duration) -> io::Result<RenewalLock> {
        let target = target_of(&self.path)?;
        let folder = folder_of(&target);
        let folder_lock = match File::open(folder) {
            Ok(file) => acquire(file, timeout).await,
            // A folder that may be entered need not be readable.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => LockState::Unsupported,
            Err(error) => return Err(error),
        };
        // Without the lock, a temporary file may still be in use by another process.
        if matches!(folder_lock, LockState::Held { .. })
            && let Err(error) = delete_temporary_files(folder)
        {
            warn!(%error, "Temporary files beside the refresh token cannot be deleted");
        }
        // Opening a pipe would block until its other end is opened.
        let is_file = std::fs::metadata(&target).is_ok_and(|target| target.is_file());
        let file = match is_file.then(|| File::open(&target)) {
            Some(Ok(file)) => acquire(file, timeout).await,
            Some(Err(_)) | None => LockState::Unsupported,
        };
        Ok(RenewalLock {
            folder: folder_lock,
            file,
        })
    }

    /// The stored token; none if the file does not exist or is blank. A text that cannot be a token
    /// is refused here, because the authority would call it an expired token.
    pub(in crate::partner_center::auth) fn load(&self) -> io::Result<Option<SecretString>> {
        match secret::load(&self.path) {
            Ok(Some(token))
                if !token
                    .expose_secret()
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic()) =>
            {
                let problem = "holds characters that no token has: blanks, or letters beyond ASCII";
                Err(io::Error::new(io::ErrorKind::InvalidData, problem))
            }
            Ok(token) => Ok(token),
            Err(fault) => match io::Error::from(fault) {
                error if error.kind() == io::ErrorKind::NotFound => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Makes sure that the next token can be stored. With an exclusive lock this rewrites the
    /// present token, exactly as a renewal would write the next.
    pub(in crate::partner_center::auth) fn reserve(
        &self,
        lock: &RenewalLock,
    ) -> io::Result<Reservation> {
        durable_file::reserve(&self.path, RESERVED_BYTES, lock.is_exclusive())
    }

    /// Checks that a token could be stored, and stores none.
    pub(in crate::partner_center::auth) async fn check_writable(&self) -> io::Result<()> {
        let lock = self.lock_within(CHECK_LOCK_TIMEOUT).await?;
        self.reserve(&lock).map(drop)
    }
}

async fn acquire(file: File, timeout: Duration) -> LockState {
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => {
                return LockState::Held {
                    _until_dropped: file,
                };
            }
            Err(TryLockError::WouldBlock) if began.elapsed() < timeout => {
                tokio::time::sleep(LOCK_POLL_INTERVAL).await;
            }
            Err(TryLockError::WouldBlock) => return LockState::HeldElsewhere,
            Err(TryLockError::Error(_)) => return LockState::Unsupported,
        }
    }
}

/// Tries every file and returns the first failure.
fn delete_temporary_files(folder: &Path) -> io::Result<()> {
    let mut deleted = Ok(());
    for entry in folder.read_dir()? {
        let entry = entry?;
        let name = entry.file_name();
        if name
            .as_encoded_bytes()
            .starts_with(TEMPORARY_PREFIX.as_bytes())
        {
            deleted = deleted.and(std::fs::remove_file(entry.path()));
        }
    }
    deleted
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    async fn save(store: &RefreshStore, token: &str) {
        let lock = store.lock().await.unwrap();
        let reservation = store.reserve(&lock).unwrap();
        reservation.commit(token.as_bytes()).unwrap();
    }

    fn store() -> (tempfile::TempDir, RefreshStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = RefreshStore::new(folder.path().join("refresh_token"));
        (folder, store)
    }

    #[tokio::test]
    async fn a_stored_token_is_loaded_and_only_its_owner_may_read_it() {
        let (_folder, store) = store();
        assert!(store.load().unwrap().is_none());
        for token in ["a-long-first-token", "short"] {
            save(&store, token).await;
            assert_eq!(store.load().unwrap().unwrap().expose_secret(), token);
        }
        let mode = std::fs::metadata(store.path())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn an_unused_reservation_leaves_the_old_token_and_nothing_else() {
        let (folder, store) = store();
        save(&store, "old").await;
        store.check_writable().await.unwrap();
        assert_eq!(store.load().unwrap().unwrap().expose_secret(), "old");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[tokio::test]
    async fn temporary_files_of_a_killed_process_are_deleted() {
        let (folder, store) = store();
        save(&store, "kept").await;
        let left = folder.path().join(format!("{TEMPORARY_PREFIX}left"));
        std::fs::write(&left, "spent").unwrap();
        store.lock().await.unwrap();
        assert!(!left.exists());
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_path_that_cannot_be_written_is_found_beforehand() {
        let (folder, store) = store();
        std::fs::create_dir(store.path()).unwrap();
        assert!(store.check_writable().await.is_err());
        let nowhere = RefreshStore::new(folder.path().join("missing").join("refresh_token"));
        assert!(nowhere.check_writable().await.is_err());
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

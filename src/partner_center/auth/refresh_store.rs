//! The file that keeps the refresh token across renewals: read, locked, and proved to take the next
//! token before the present one is spent, since a renewed token that cannot be kept would end in a
//! sign-in that nobody can repeat.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;
use tracing::warn;

use super::kept_file::{self, SLOT_PREFIX, Slot, folder_of, target_of};
use crate::text::secret;

/// Room for any token Microsoft issues; reserved before the old one is spent, so that a full disk
/// shows in time.
const RESERVED_BYTES: usize = 16 * 1024;

/// No renewal takes longer; whoever holds the lock for longer hangs.
const LOCK_PATIENCE: Duration = Duration::from_mins(2);

/// A person who waits for a proof is not kept waiting for another's renewal: that proves the same.
const PROOF_PATIENCE: Duration = Duration::from_secs(5);

/// Where the refresh token lives.
#[derive(Debug, Clone)]
pub(super) struct RefreshStore {
    path: PathBuf,
}

/// Keeps other processes from renewing. Ends with this value, or with its process.
#[derive(Debug)]
pub(super) struct Lock {
    /// For files that take each other's names.
    folder: Locked,
    /// For a file that is mounted by itself into several places.
    file: Locked,
}

#[derive(Debug)]
enum Locked {
    Held {
        _until_dropped: File,
    },
    /// By another process.
    Elsewhere,
    /// It cannot be opened, or its file system knows no locks.
    Impossible,
}

impl Lock {
    /// Whether nobody else renews for certain. The file's lock alone proves nothing: another file
    /// may have its name.
    fn is_alone(&self) -> bool {
        matches!(self.folder, Locked::Held { .. }) && !matches!(self.file, Locked::Elsewhere)
    }
}

impl RefreshStore {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until no other process renews, but not for ever. What a killed process left beside the
    /// token is cleared away.
    pub(super) async fn lock(&self) -> io::Result<Lock> {
        let lock = self.lock_within(LOCK_PATIENCE).await?;
        if !lock.is_alone() {
            // Where there is no lock to be had, as on some network file systems, the token is kept
            // all the same: only two processes at once might each renew.
            warn!(
                folder = ?lock.folder,
                file = ?lock.file,
                "Signing in without the lock on the refresh token {}",
                self.path.display()
            );
        }
        Ok(lock)
    }

    async fn lock_within(&self, patience: Duration) -> io::Result<Lock> {
        let target = target_of(&self.path)?;
        let folder = folder_of(&target);
        let locked = match File::open(folder) {
            Ok(file) => wait_for(file, patience).await,
            // A folder may be passed through without being read.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Locked::Impossible,
            Err(error) => return Err(error),
        };
        // Only the holder may clear up: anybody else's slot may be in use.
        if matches!(locked, Locked::Held { .. })
            && let Err(error) = clear_leftovers(folder)
        {
            warn!(%error, "What a killed process left beside the refresh token cannot be cleared away");
        }
        // Opening a pipe would wait for its other end.
        let is_file = std::fs::metadata(&target).is_ok_and(|target| target.is_file());
        let file = match is_file.then(|| File::open(&target)) {
            Some(Ok(file)) => wait_for(file, patience).await,
            Some(Err(_)) | None => Locked::Impossible,
        };
        Ok(Lock {
            folder: locked,
            file,
        })
    }

    /// The kept token; none where there is no file yet or it is blank. However a person may have
    /// saved it, and refused where it cannot be a token: the authority would say that it has
    /// expired.
    pub(super) fn load(&self) -> io::Result<Option<SecretString>> {
        match secret::load(&self.path) {
            Ok(Some(token))
                if !token
                    .expose_secret()
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic()) =>
            {
                let problem = "holds what no token does: blanks, or letters beyond ASCII";
                Err(io::Error::new(io::ErrorKind::InvalidData, problem))
            }
            Ok(token) => Ok(token),
            Err(fault) => match io::Error::from(fault) {
                error if error.kind() == io::ErrorKind::NotFound => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Proves that the next token can be kept. Under `lock` by keeping the present one anew, as a
    /// renewal would.
    pub(super) fn reserve(&self, lock: &Lock) -> io::Result<Slot> {
        kept_file::reserve(&self.path, RESERVED_BYTES, lock.is_alone())
    }

    /// The same for its own sake.
    pub(super) async fn prove(&self) -> io::Result<()> {
        let lock = self.lock_within(PROOF_PATIENCE).await?;
        self.reserve(&lock).map(drop)
    }
}

/// Locks `file` once nobody else has it locked.
async fn wait_for(file: File, patience: Duration) -> Locked {
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => {
                return Locked::Held {
                    _until_dropped: file,
                };
            }
            Err(TryLockError::WouldBlock) if began.elapsed() < patience => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(TryLockError::WouldBlock) => return Locked::Elsewhere,
            Err(TryLockError::Error(_)) => return Locked::Impossible,
        }
    }
}

/// Does what it can, and gives the first failure.
fn clear_leftovers(folder: &Path) -> io::Result<()> {
    let mut cleared = Ok(());
    for entry in folder.read_dir()? {
        let entry = entry?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(SLOT_PREFIX.as_bytes()) {
            cleared = cleared.and(std::fs::remove_file(entry.path()));
        }
    }
    cleared
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    async fn keep(store: &RefreshStore, token: &str) {
        let lock = store.lock().await.unwrap();
        let slot = store.reserve(&lock).unwrap();
        slot.keep(token.as_bytes()).unwrap();
    }

    fn store() -> (tempfile::TempDir, RefreshStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = RefreshStore::new(folder.path().join("refresh_token"));
        (folder, store)
    }

    #[tokio::test]
    async fn a_kept_token_comes_back_whole_and_only_its_owner_may_read_it() {
        let (_folder, store) = store();
        assert!(store.load().unwrap().is_none());
        for token in ["a-long-first-token", "short"] {
            keep(&store, token).await;
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
        keep(&store, "old").await;
        store.prove().await.unwrap();
        assert_eq!(store.load().unwrap().unwrap().expose_secret(), "old");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[tokio::test]
    async fn what_a_killed_process_left_is_cleared_away() {
        let (folder, store) = store();
        keep(&store, "kept").await;
        let left = folder.path().join(format!("{SLOT_PREFIX}left"));
        std::fs::write(&left, "spent").unwrap();
        store.lock().await.unwrap();
        assert!(!left.exists());
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_place_that_cannot_be_written_is_found_out_beforehand() {
        let (folder, store) = store();
        std::fs::create_dir(store.path()).unwrap();
        assert!(store.prove().await.is_err());
        let nowhere = RefreshStore::new(folder.path().join("missing").join("refresh_token"));
        assert!(nowhere.prove().await.is_err());
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

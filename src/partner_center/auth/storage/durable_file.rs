//! Replaces the content of a small file so that a crash leaves the old content or the new content,
//! never a part of either. [`reserve`] checks beforehand that the file can be replaced, by doing
//! all of it but the last step; [`Reservation::commit`] is that step.
//!
//! - A symbolic link is kept: its target is replaced, or created if it does not exist yet.
//! - Usually a new file is renamed over the old one, which is atomic.
//! - If no file can be renamed over it (a mount point, or a folder that takes no new file), or if
//!   a rename would leave the old content under another name (hard links), the file itself is
//!   overwritten, in one write that covers all of the old content. The readers ignore trailing
//!   blanks, so a process killed in between leaves a file that can still be read.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use tempfile::NamedTempFile;
use tracing::warn;

/// The beginning of a new file's name, until the file is renamed.
pub(super) const TEMPORARY_PREFIX: &str = ".seatledger-refresh-token-";

/// Symbolic links that are followed one after another. Linux follows as many; more are a loop.
const MAX_LINKS: usize = 40;

/// A file whose content can be replaced: the disk space is allocated and the permissions suffice.
#[derive(Debug)]
pub(in crate::partner_center::auth) struct Reservation {
    target: PathBuf,
    method: WriteMethod,
}

#[derive(Debug)]
enum WriteMethod {
    /// A temporary file is renamed over the target.
    Rename(NamedTempFile),
    /// The target itself is overwritten. Its padding is the reserved space.
    InPlace(PaddedFile),
}

/// An open file with blanks after its content. They are cut off when this value is dropped.
#[derive(Debug)]
struct PaddedFile {
    file: File,
    /// Bytes of the content.
    length: u64,
}

impl Drop for PaddedFile {
    fn drop(&mut self) {
        // If this fails, only blanks stay behind.
        let _truncated = self.file.set_len(self.length);
    }
}

/// The folder of a file.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The end of the chain of symbolic links that begins at `path`, or `path` itself. The end need not
/// exist.
pub(in crate::partner_center::auth) fn target_of(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        match std::fs::read_link(&target) {
            Ok(next) => target = folder_of(&target).join(next),
            Err(error) => {
                return match error.kind() {
                    // Not a link, or nothing at all.
                    ErrorKind::InvalidInput | ErrorKind::NotFound => Ok(target),
                    _ => Err(error),
                };
            }
        }
    }
    Err(Errno::LOOP.into())
}

/// Checks that the content of `path` can be replaced by `room` bytes. `exclusive`: no other process
/// does the same at this moment, so the present content may be rewritten as a trial.
pub(super) fn reserve(path: &Path, room: usize, exclusive: bool) -> io::Result<Reservation> {
    let target = target_of(path)?;
    let present = metadata_of(&target)?;
    let has_hard_links = present.as_ref().is_some_and(|present| present.nlink() > 1);
    let method = if has_hard_links {
        WriteMethod::InPlace(pad(&target, room)?)
    } else {
        match reserve_rename(&target, present.as_ref(), room, exclusive) {
            Ok(file) => WriteMethod::Rename(file),
            Err(error) if present.is_some() && forbids_rename(&error) => {
                WriteMethod::InPlace(pad(&target, room)?)
            }
            Err(error) => return Err(error),
        }
    };
    Ok(Reservation { target, method })
}

/// None if there is no file yet.
fn metadata_of(target: &Path) -> io::Result<Option<Metadata>> {
    match std::fs::symlink_metadata(target) {
        Ok(present) if present.is_file() => Ok(Some(present)),
        Ok(present) if present.is_dir() => Err(Errno::ISDIR.into()),
        Ok(_) => Err(not_a_regular_file()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn not_a_regular_file() -> io::Error {
    io::Error::new(
        ErrorKind::InvalidInput,
        "it is a device, a pipe or a socket, not a regular file",
    )
}

/// Whether the error means that no file can be created or renamed in the folder; the target itself
/// may still be writable.
fn forbids_rename(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::ResourceBusy
            | ErrorKind::CrossesDevices
            | ErrorKind::Unsupported
    )
}

/// A temporary file of `room` bytes beside `target`, after a trial that such a file can be renamed.
fn reserve_rename(
    target: &Path,
    present: Option<&Metadata>,
    room: usize,
    exclusive: bool,
) -> io::Result<NamedTempFile> {
    let folder = folder_of(target);
    let reserved = create_temporary(folder, present, &vec![b' '; room])?;
    match present {
        Some(before) if exclusive => {
            let content = std::fs::read(target)?;
            let copy = create_temporary(folder, present, &content)?;
            // If the file was written meanwhile, its content is newer than the copy.
            if is_same(before, &std::fs::symlink_metadata(target)?) {
                copy.persist(target).map_err(|error| error.error)?;
            }
        }
        Some(_) => {}
        None => {
            // A folder may allow new files and still forbid renaming them.
            let trial = create_temporary(folder, None, b"")?;
            let mut renamed = trial.path().as_os_str().to_owned();
            renamed.push("-renamed");
            std::fs::rename(trial.path(), &renamed)?;
            std::fs::remove_file(&renamed)?;
        }
    }
    sync_folder(folder)?;
    Ok(reserved)
}

fn is_same(before: &Metadata, now: &Metadata) -> bool {
    before.dev() == now.dev()
        && before.ino() == now.ino()
        && before.len() == now.len()
        && before.mtime() == now.mtime()
        && before.mtime_nsec() == now.mtime_nsec()
}

/// A new file that only its owner may read, synced to disk.
fn create_temporary(
    folder: &Path,
    present: Option<&Metadata>,
    content: &[u8],
) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .tempfile_in(folder)?;
    match_owner(file.as_file(), folder, present)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// If this process is root, gives the file to the owner of the file that it replaces, or of the
/// folder: the service must be able to read what root writes for it.
fn match_owner(file: &File, folder: &Path, present: Option<&Metadata>) -> io::Result<()> {
    let ours = file.metadata()?;
    if ours.uid() != 0 {
        return Ok(());
    }
    let folder = std::fs::metadata(folder)?;
    let wanted = present.unwrap_or(&folder);
    if (ours.uid(), ours.gid()) != (wanted.uid(), wanted.gid()) {
        // Some file systems have no owners, and a service may lack the right to change them.
        let _changed = fchown(file, Some(wanted.uid()), Some(wanted.gid()));
    }
    Ok(())
}

/// Makes a rename durable. Not every file system can sync a folder; there this does nothing.
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

/// Opens the target and appends blanks until it has `room` bytes.
fn pad(target: &Path, room: usize) -> io::Result<PaddedFile> {
    // The target may have been replaced by a link or a pipe since it was checked.
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(target, flags, Mode::empty())?);
    let present = file.metadata()?;
    if !present.is_file() {
        return Err(not_a_regular_file());
    }
    let length = present.len();
    let padded = PaddedFile { file, length };
    let more = (room as u64).saturating_sub(length);
    if more > 0 {
        let mut blanks = vec![b' '; usize::try_from(more).unwrap_or(room)];
        blanks[0] = b'\n';
        padded.file.write_all_at(&blanks, length)?;
    }
    padded.file.sync_all()?;
    Ok(padded)
}

impl Reservation {
    /// Replaces the old content by `content`, durably.
    pub(in crate::partner_center::auth) fn commit(self, content: &[u8]) -> io::Result<()> {
        let Self { target, method } = self;
        match method {
            WriteMethod::InPlace(padded) => overwrite(padded, content),
            WriteMethod::Rename(file) => rename(file, &target, content).or_else(|error| {
                // The folder has changed since the reservation. The content may exist nowhere else,
                // so the last resort is to overwrite the file.
                let room = content.len();
                pad(&target, room)
                    .and_then(|padded| overwrite(padded, content))
                    .map_err(|_| error)
            }),
        }
    }
}

fn rename(mut file: NamedTempFile, target: &Path, content: &[u8]) -> io::Result<()> {
    file.as_file().write_all_at(content, 0)?;
    file.as_file_mut().set_len(content.len() as u64)?;
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| error.error)?;
    let folder = folder_of(target);
    if let Err(error) = sync_folder(folder) {
        warn!(
            %error,
            "The folder {} cannot be synced; a power failure now could bring the old file back",
            folder.display()
        );
    }
    Ok(())
}

fn overwrite(mut padded: PaddedFile, content: &[u8]) -> io::Result<()> {
    let present = padded.file.metadata()?;
    if present.permissions().mode() & 0o077 != 0 {
        // Fails unless the file is ours; the content is more important than its mode.
        let _restricted = padded.file.set_permissions(Permissions::from_mode(0o600));
    }
    let mut whole = content.to_vec();
    let covered = usize::try_from(present.len()).unwrap_or(usize::MAX);
    if covered > whole.len() {
        whole.push(b'\n');
        whole.resize(covered.max(whole.len()), b' ');
    }
    padded.file.write_all_at(&whole, 0)?;
    padded.length = content.len() as u64;
    padded.file.set_len(padded.length)?;
    padded.file.sync_all()
}

#[cfg(test)]
mod tests;

//! Puts new content in the place of a small file, wherever that file lies, so that a crash leaves
//! the old or the new and never a part; and proves beforehand that it can be done, by doing it as
//! far as it goes.
//!
//! - A symbolic link stays one: what it leads to is replaced, also where there is nothing yet.
//! - Usually a new file takes the name of the old one, which is atomic.
//! - Where no file may take the name (a mount of its own, a folder that takes no new file) or where
//!   that would leave the old content under another name (hard links), the file itself is written,
//!   in one write that covers all of the old. Both contents are read as text that may end with
//!   blanks, so that a process killed in between harms neither.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use tempfile::NamedTempFile;
use tracing::warn;

/// What a new file is called until it takes its place.
pub(super) const SLOT_PREFIX: &str = ".seatledger-refresh-token-";

/// As many as Linux follows.
const MAX_LINKS: usize = 40;

/// A place that is proved to take the next content.
#[derive(Debug)]
pub(super) struct Slot {
    target: PathBuf,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// A file of ours beside it takes its name.
    Rename(NamedTempFile),
    /// The file itself is written. It was lengthened to reserve room.
    InPlace(Lengthened),
}

/// An open file with blanks behind its content, which go again unless they are made use of.
#[derive(Debug)]
struct Lengthened {
    file: File,
    length: u64,
}

impl Drop for Lengthened {
    fn drop(&mut self) {
        // Only blanks are left where it fails.
        let _shortened = self.file.set_len(self.length);
    }
}

/// The folder of a file.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// What `path` leads to where it is a symbolic link, or a chain of them; the end of it need not be
/// there.
pub(super) fn target_of(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        match std::fs::read_link(&target) {
            Ok(next) => target = folder_of(&target).join(next),
            Err(error) => {
                return match error.kind() {
                    // No link, or nothing at all.
                    ErrorKind::InvalidInput | ErrorKind::NotFound => Ok(target),
                    _ => Err(error),
                };
            }
        }
    }
    Err(Errno::LOOP.into())
}

/// Proves that `room` bytes can be put in the place of `path`. `alone`: no other process does the
/// same just now, so that the present content may be kept anew in proof.
pub(super) fn reserve(path: &Path, room: usize, alone: bool) -> io::Result<Slot> {
    let target = target_of(path)?;
    let present = present(&target)?;
    let has_other_names = present.as_ref().is_some_and(|present| present.nlink() > 1);
    let way = if has_other_names {
        Way::InPlace(lengthen(&target, room)?)
    } else {
        match beside(&target, present.as_ref(), room, alone) {
            Ok(file) => Way::Rename(file),
            Err(error) if present.is_some() && is_about_names(&error) => {
                Way::InPlace(lengthen(&target, room)?)
            }
            Err(error) => return Err(error),
        }
    };
    Ok(Slot { target, way })
}

fn present(target: &Path) -> io::Result<Option<Metadata>> {
    match std::fs::symlink_metadata(target) {
        Ok(present) if present.is_file() => Ok(Some(present)),
        Ok(present) if present.is_dir() => Err(Errno::ISDIR.into()),
        Ok(_) => Err(no_file()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn no_file() -> io::Error {
    io::Error::new(
        ErrorKind::InvalidInput,
        "it is a device, a pipe or a socket, and no regular file",
    )
}

/// Whether an error says that no file may be made or renamed there, which the file itself may
/// survive.
fn is_about_names(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::ResourceBusy
            | ErrorKind::CrossesDevices
            | ErrorKind::Unsupported
    )
}

/// A file beside `target` with room, after proof that one such may take its name.
fn beside(
    target: &Path,
    present: Option<&Metadata>,
    room: usize,
    alone: bool,
) -> io::Result<NamedTempFile> {
    let folder = folder_of(target);
    let slot = new_file(folder, present, &vec![b' '; room])?;
    match present {
        Some(before) if alone => {
            let content = std::fs::read(target)?;
            let copy = new_file(folder, present, &content)?;
            // Whoever has written meanwhile has the newer content.
            if is_same(before, &std::fs::symlink_metadata(target)?) {
                copy.persist(target).map_err(|error| error.error)?;
            }
        }
        Some(_) => {}
        None => {
            // A folder may take new files and let none of them be renamed.
            let proof = new_file(folder, None, b"")?;
            let mut renamed = proof.path().as_os_str().to_owned();
            renamed.push("-renamed");
            std::fs::rename(proof.path(), &renamed)?;
            std::fs::remove_file(&renamed)?;
        }
    }
    sync_folder(folder)?;
    Ok(slot)
}

fn is_same(before: &Metadata, now: &Metadata) -> bool {
    let identity = |file: &Metadata| {
        (
            file.dev(),
            file.ino(),
            file.len(),
            file.mtime(),
            file.mtime_nsec(),
        )
    };
    identity(before) == identity(now)
}

/// A file that only its owner may read, written to the disk. It never takes the place of one that
/// is there.
fn new_file(
    folder: &Path,
    present: Option<&Metadata>,
    content: &[u8],
) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(SLOT_PREFIX)
        .tempfile_in(folder)?;
    hand_over(file.as_file(), folder, present)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// What root writes for a service, the service must be able to read: the file gets the owner of the
/// one whose place it takes, or of the folder.
fn hand_over(file: &File, folder: &Path, present: Option<&Metadata>) -> io::Result<()> {
    let ours = file.metadata()?;
    if ours.uid() != 0 {
        return Ok(());
    }
    let folder = std::fs::metadata(folder)?;
    let wanted = present.unwrap_or(&folder);
    if (ours.uid(), ours.gid()) != (wanted.uid(), wanted.gid()) {
        // Some file systems know no owners, and a service may have lost the right to give files
        // away.
        let _given = fchown(file, Some(wanted.uid()), Some(wanted.gid()));
    }
    Ok(())
}

/// A new name is durable only once its folder is. Not every file system can do that for a folder.
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

/// Opens the file itself and reserves room behind its content.
fn lengthen(target: &Path, room: usize) -> io::Result<Lengthened> {
    // Neither a link nor a pipe may have come between.
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(target, flags, Mode::empty())?);
    let present = file.metadata()?;
    if !present.is_file() {
        return Err(no_file());
    }
    let length = present.len();
    let lengthened = Lengthened { file, length };
    let more = (room as u64).saturating_sub(length);
    if more > 0 {
        let mut blanks = vec![b' '; usize::try_from(more).unwrap_or(room)];
        blanks[0] = b'\n';
        lengthened.file.write_all_at(&blanks, length)?;
    }
    lengthened.file.sync_all()?;
    Ok(lengthened)
}

impl Slot {
    /// Puts `content` in the place of the old, durably.
    pub(super) fn keep(self, content: &[u8]) -> io::Result<()> {
        let Self { target, way } = self;
        match way {
            Way::InPlace(lengthened) => write_over(lengthened, content),
            Way::Rename(file) => take_name(file, &target, content).or_else(|error| {
                // What was proved does not hold any more. The content may be the only one of its
                // kind.
                let room = content.len();
                lengthen(&target, room)
                    .and_then(|lengthened| write_over(lengthened, content))
                    .map_err(|_| error)
            }),
        }
    }
}

fn take_name(mut file: NamedTempFile, target: &Path, content: &[u8]) -> io::Result<()> {
    file.as_file().write_all_at(content, 0)?;
    file.as_file_mut().set_len(content.len() as u64)?;
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| error.error)?;
    if let Err(error) = sync_folder(folder_of(target)) {
        warn!(%error, "The folder {} cannot be synced, so that a power failure now could bring back what it held before", folder_of(target).display());
    }
    Ok(())
}

fn write_over(mut lengthened: Lengthened, content: &[u8]) -> io::Result<()> {
    let present = lengthened.file.metadata()?;
    if present.permissions().mode() & 0o077 != 0 {
        // Only the owner may; nobody else reads less for it.
        let _closed = lengthened
            .file
            .set_permissions(Permissions::from_mode(0o600));
    }
    let mut whole = content.to_vec();
    let covered = usize::try_from(present.len()).unwrap_or(usize::MAX);
    if covered > whole.len() {
        whole.push(b'\n');
        whole.resize(covered.max(whole.len()), b' ');
    }
    lengthened.file.write_all_at(&whole, 0)?;
    lengthened.length = content.len() as u64;
    lengthened.file.set_len(lengthened.length)?;
    lengthened.file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        (folder, path)
    }

    fn keep(path: &Path, content: &str) {
        let slot = reserve(path, 1024, true).unwrap();
        slot.keep(content.as_bytes()).unwrap();
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = folder.read_dir().unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_replaced() {
        let (folder, path) = folder();
        let volume = tempfile::tempdir().unwrap();
        let [end, middle] = ["end", "middle"].map(|name| volume.path().join(name));
        symlink("end", &middle).unwrap();
        symlink(&middle, &path).unwrap();
        // At first it leads to nothing.
        for content in ["first", "the second one", "3"] {
            keep(&path, content);
            assert_eq!(std::fs::read_to_string(&end).unwrap(), content);
        }
        assert!(path.is_symlink() && middle.is_symlink() && !end.is_symlink());
        assert_eq!(names(folder.path()), ["token"]);
        assert_eq!(names(volume.path()), ["end", "middle"]);
        let mode = std::fs::metadata(&end).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_of_several_names_has_the_new_content_under_each() {
        let (folder, path) = folder();
        let other = folder.path().join("other");
        std::fs::write(&path, "the old one, which is longer").unwrap();
        std::fs::hard_link(&path, &other).unwrap();
        for content in ["new", "one that is longer than the old one was before it"] {
            keep(&path, content);
            for name in [&path, &other] {
                assert_eq!(std::fs::read_to_string(name).unwrap(), content);
            }
        }
        assert_eq!(names(folder.path()), ["other", "token"]);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn room_that_is_not_used_is_given_back() {
        for has_other_name in [false, true] {
            let (folder, path) = folder();
            std::fs::write(&path, "old").unwrap();
            if has_other_name {
                std::fs::hard_link(&path, folder.path().join("other")).unwrap();
            }
            drop(reserve(&path, 1024, true).unwrap());
            drop(reserve(&path, 1024, false).unwrap());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
            let count = 1 + usize::from(has_other_name);
            assert_eq!(names(folder.path()).len(), count);
        }
    }

    #[test]
    fn nothing_is_left_where_nothing_was_kept() {
        let (folder, path) = folder();
        drop(reserve(&path, 1024, true).unwrap());
        assert_eq!(names(folder.path()).len(), 0);
    }

    #[test]
    fn what_is_no_file_and_what_leads_nowhere_is_refused() {
        let (folder, path) = folder();
        let refused = |path: &Path| reserve(path, 1024, true).unwrap_err();
        symlink("token", &path).unwrap();
        assert_eq!(refused(&path).raw_os_error(), Some(40));
        std::fs::remove_file(&path).unwrap();
        symlink("missing/token", &path).unwrap();
        assert_eq!(refused(&path).kind(), ErrorKind::NotFound);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(refused(&path).kind(), ErrorKind::IsADirectory);
        assert!(
            refused(Path::new("/dev/null"))
                .to_string()
                .contains("device")
        );
        let below_a_file = folder.path().join("file").join("token");
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert_eq!(refused(&below_a_file).kind(), ErrorKind::NotADirectory);
    }

    #[test]
    fn a_name_that_can_be_taken_no_more_is_no_reason_to_lose_the_content() {
        let (folder, path) = folder();
        std::fs::write(&path, "old").unwrap();
        let slot = reserve(&path, 1024, true).unwrap();
        // The reserved file is gone, as if somebody had tidied up.
        for name in names(folder.path()) {
            if name != "token" {
                std::fs::remove_file(folder.path().join(name)).unwrap();
            }
        }
        slot.keep(b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    }
}

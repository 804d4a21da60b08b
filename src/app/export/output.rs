//! Where an export goes: standard output, or a file that appears whole or not at all.

use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::FilePart;

/// What a killed program leaves behind begins so.
const TEMPORARY_PREFIX: &str = ".seatledger-export-";

/// Readable as the umask allows, like a file that a shell redirects to.
const MODE: u32 = 0o666;

#[derive(Debug)]
pub(super) enum Output {
    Standard,
    File {
        /// Beside the target, so that it can be renamed to it. Deleted when dropped.
        file: NamedTempFile,
        target: PathBuf,
    },
}

impl Output {
    pub(super) fn open(out: Option<&Path>) -> anyhow::Result<Self> {
        let Some(out) = out else {
            return Ok(Self::Standard);
        };
        let cannot = || cannot_write(out);
        // A link stays one. What it leads to may have no path, such as a pipe at /dev/stdout, so
        // that the link itself must tell what is there.
        let target = match std::fs::metadata(out) {
            Ok(found) if !found.is_file() => bail!(
                "{} is no file, and is not replaced by one; without --out, rows go to standard \
                 output",
                out.display()
            ),
            Ok(_) => std::fs::canonicalize(out).with_context(cannot)?,
            Err(error) if error.kind() == ErrorKind::NotFound => end_of_links(out),
            Err(error) => return Err(error).with_context(cannot),
        };
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .permissions(Permissions::from_mode(MODE))
            .tempfile_in(folder_of(&target))
            .with_context(cannot)?;
        Ok(Self::File { file, target })
    }

    /// Writes what comes. Keeps it only if the end comes, too.
    pub(super) fn write(self, mut parts: mpsc::Receiver<FilePart>) -> anyhow::Result<()> {
        match self {
            Self::Standard => {
                let mut out = io::stdout().lock();
                let mut write = || {
                    while let Some(FilePart::Block(block)) = parts.blocking_recv() {
                        out.write_all(&block)?;
                    }
                    out.flush()
                };
                match write() {
                    // A reader that closes the pipe early, such as `head`, is no fault.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
                    written => written.context("standard output cannot be written to"),
                }
            }
            Self::File { mut file, target } => {
                let write = || {
                    loop {
                        match parts.blocking_recv() {
                            Some(FilePart::Block(block)) => file.write_all(&block)?,
                            Some(FilePart::End) => break,
                            None => return Ok(()),
                        }
                    }
                    file.as_file().sync_all()?;
                    file.persist(&target)?;
                    // Not every file system can do so.
                    let _synced = File::open(folder_of(&target)).and_then(|it| it.sync_all());
                    io::Result::Ok(())
                };
                write().with_context(|| cannot_write(&target))
            }
        }
    }
}

/// Where a file is to appear at a path that leads to none.
fn end_of_links(path: &Path) -> PathBuf {
    let mut end = path.to_owned();
    while let Ok(next) = std::fs::read_link(&end) {
        end = folder_of(&end).join(next);
    }
    end
}

fn cannot_write(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

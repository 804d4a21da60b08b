//! Reads text files in any encoding and with any line ends that people and their tools save them
//! with. [`read`] reads the bytes with bounds on time and size, [`mod@decode`] turns them into
//! text, and [`secret`] and [`pem`] read the two kinds of files that several modules need.
//!
//! No error quotes the content of a file, which may be a secret.

mod decode;
pub(crate) mod pem;
pub(crate) mod secret;

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use secrecy::zeroize::Zeroizing;

pub(crate) use decode::{NotText, decode};

use crate::retry::passes_by_itself;

/// Bytes of a configuration file, a certificate or a key.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 1 << 20;

/// Bytes of a secret. The longest are tokens of a few kilobytes.
pub(crate) const MAX_SECRET_BYTES: usize = 64 << 10;

/// Bytes of a list of customers: over a hundred for each of half a million customers.
pub(crate) const MAX_LIST_BYTES: usize = 64 << 20;

/// How long data from a pipe or a device is waited for, so that the program cannot hang on it.
const PIPE_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a pipe is polled for data.
const PIPE_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Why a file cannot be used as text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileReadError {
    /// The operating system refuses to open or read it.
    #[error("{}", describe(.0))]
    Io(io::Error),
    /// A directory. Container platforms create one if the file to be mounted does not exist.
    #[error("must be a file, but is a folder")]
    Directory,
    /// It has more bytes than the limit.
    #[error("is larger than {} KiB, the limit for such a file", .0 >> 10)]
    TooLarge(usize),
    /// A pipe, a terminal or another device that sent no data in time.
    #[error(
        "is a pipe or a device, and nothing came from it within {} s",
        PIPE_TIMEOUT.as_secs()
    )]
    Timeout,
    /// The bytes are not text.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// The text is not what the caller needs.
    #[error("{0}")]
    Unsuitable(String),
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

impl FileReadError {
    /// Whether the cause is a temporary shortage of the machine, and not the file.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Io(error) => passes_by_itself(error),
            Self::Directory
            | Self::TooLarge(_)
            | Self::Timeout
            | Self::NotText(_)
            | Self::Unsuitable(_) => false,
        }
    }
}

impl From<io::Error> for FileReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<FileReadError> for io::Error {
    fn from(fault: FileReadError) -> Self {
        let kind = match fault {
            FileReadError::Io(error) => return error,
            FileReadError::Directory => ErrorKind::IsADirectory,
            FileReadError::TooLarge(_) => ErrorKind::FileTooLarge,
            FileReadError::Timeout => ErrorKind::TimedOut,
            FileReadError::NotText(_) | FileReadError::Unsuitable(_) => ErrorKind::InvalidData,
        };
        Self::new(kind, fault)
    }
}

/// Checks that `path` can be opened for reading.
pub(crate) fn probe(path: &Path) -> Result<(), FileReadError> {
    open(path).map(drop)
}

fn open(path: &Path) -> Result<File, FileReadError> {
    // Without NONBLOCK, opening a named pipe without a writer would block; without NOCTTY, a
    // terminal could become the controlling one.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.cast_signed())
        .open(path)?;
    if file.metadata()?.is_dir() {
        return Err(FileReadError::Directory);
    }
    Ok(file)
}

/// The bytes of a file, if there are at most `limit` of them.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, FileReadError> {
    read_within(path, limit, PIPE_TIMEOUT)
}

fn read_within(
    path: &Path,
    limit: usize,
    pipe_timeout: Duration,
) -> Result<Zeroizing<Vec<u8>>, FileReadError> {
    let file = open(path)?;
    let metadata = file.metadata()?;
    let is_pipe = metadata.file_type().is_fifo();
    let expected = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected.min(limit) + 1));
    let start = Instant::now();
    loop {
        let left = (limit + 1 - bytes.len()) as u64;
        match (&file).take(left).read_to_end(&mut bytes) {
            Ok(_) if bytes.len() > limit => return Err(FileReadError::TooLarge(limit)),
            // The writer of a named pipe may not have opened it yet.
            Ok(_) if is_pipe && bytes.is_empty() => {}
            Ok(_) => return Ok(bytes),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        if start.elapsed() > pipe_timeout {
            return Err(FileReadError::Timeout);
        }
        sleep(PIPE_POLL_INTERVAL);
    }
}

/// Invisible characters, which are often copied along with text from a page, a chat or a dialog.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
    )
}

/// Quotation marks, including those that word processors substitute for plain ones.
pub(crate) fn is_quote(c: char) -> bool {
    matches!(
        c,
        '"' | '\'' | '`' | '\u{b4}' | '\u{ab}' | '\u{bb}' | '\u{2018}'
            ..='\u{201f}' | '\u{2039}' | '\u{203a}'
    )
}

/// `text` without white space, invisible characters, U+0000 and Ctrl-Z at its ends.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c) || matches!(c, '\0' | '\x1a'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_file_is_an_error_and_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "abc").unwrap();
        assert_eq!(&**read(&file, 3).unwrap(), b"abc");
        let told = |path: &Path, limit| read(path, limit).unwrap_err().to_string();
        assert_eq!(
            told(&file, 2),
            "is larger than 0 KiB, the limit for such a file"
        );
        assert_eq!(told(folder.path(), 9), "must be a file, but is a folder");
        assert_eq!(told(&folder.path().join("x"), 9), "there is no such file");
        assert_eq!(
            told(Path::new("/dev/zero"), MAX_SECRET_BYTES),
            "is larger than 64 KiB, the limit for such a file"
        );
        assert!(read(Path::new("/dev/null"), 9).unwrap().is_empty());
    }

    #[test]
    fn a_pipe_is_read_and_waited_for_with_a_timeout() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| std::fs::write(&pipe, "from a pipe").unwrap());
            assert_eq!(&**read(&pipe, MAX_SECRET_BYTES).unwrap(), b"from a pipe");
        });
        let silent = read_within(&pipe, MAX_SECRET_BYTES, Duration::from_millis(50));
        assert!(matches!(silent, Err(FileReadError::Timeout)));
        assert!(probe(&pipe).is_ok());
    }

    #[test]
    fn the_code_of_an_operating_system_error_is_kept() {
        let fault = FileReadError::Io(io::Error::from_raw_os_error(24));
        assert!(fault.to_string().contains("Too many open files"));
        assert_eq!(io::Error::from(fault).raw_os_error(), Some(24));
        let fault = io::Error::from(FileReadError::Directory);
        assert_eq!(fault.to_string(), "must be a file, but is a folder");
    }

    #[test]
    fn invisible_characters_are_trimmed_at_both_ends_only() {
        assert_eq!(trimmed("\u{feff} \u{a0}a b\u{200b}\r\n\0\u{1a}"), "a b");
        assert_eq!(trimmed("a\u{200b}b"), "a\u{200b}b");
    }
}

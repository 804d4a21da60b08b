//! Reads text files as people and their tools save them, in whatever encoding and with whatever
//! line ends. [`read`] gets the bytes without ever hanging or running out of memory, [`mod@decode`]
//! makes text of them, and [`secret`] and [`pem`] take the two kinds that several rooms read. What
//! a text means is its reader's to judge.
//!
//! No fault says anything of a file's content: each may hold a secret.

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

/// Bytes of a configuration file, a certificate or a key, at most.
pub(crate) const DOCUMENT: usize = 1 << 20;

/// Bytes of a secret, at most. The longest are tokens, of some kilobytes.
pub(crate) const SECRET: usize = 64 << 10;

/// Bytes of a list of customers, at most: more than a hundred for each of half a million.
pub(crate) const LIST: usize = 64 << 20;

/// A pipe or a device is waited for as long, and no longer: the program must not hang on it.
const PIPE_PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked whether the pipe has something.
const PIPE_INTERVAL: Duration = Duration::from_millis(20);

/// Why a file gives no text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadFault {
    /// The system refuses it.
    #[error("{}", in_words(.0))]
    Io(io::Error),
    /// A folder. Container platforms make one of a file that is to be mounted and is not there.
    #[error("must be a file, but is a folder")]
    Folder,
    /// More than any such file has.
    #[error("is larger than {} KiB, which no such file is", .0 >> 10)]
    TooLarge(usize),
    /// A pipe, a terminal or another device from which nothing comes.
    #[error(
        "is a pipe or a device, and nothing came from it within {} s",
        PIPE_PATIENCE.as_secs()
    )]
    Silent,
    /// The bytes are no text.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// The text is not what is wanted.
    #[error("{0}")]
    Unfit(String),
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

impl ReadFault {
    /// Whether it says nothing of the file: the machine was short of something.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Io(error) => passes_by_itself(error),
            Self::Folder | Self::TooLarge(_) | Self::Silent | Self::NotText(_) | Self::Unfit(_) => {
                false
            }
        }
    }
}

impl From<io::Error> for ReadFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ReadFault> for io::Error {
    fn from(fault: ReadFault) -> Self {
        let kind = match fault {
            ReadFault::Io(error) => return error,
            ReadFault::Folder => ErrorKind::IsADirectory,
            ReadFault::TooLarge(_) => ErrorKind::FileTooLarge,
            ReadFault::Silent => ErrorKind::TimedOut,
            ReadFault::NotText(_) | ReadFault::Unfit(_) => ErrorKind::InvalidData,
        };
        Self::new(kind, fault)
    }
}

/// Makes sure that there is something at `path` that can be read.
pub(crate) fn probe(path: &Path) -> Result<(), ReadFault> {
    open(path).map(drop)
}

fn open(path: &Path) -> Result<File, ReadFault> {
    // Without the first flag a named pipe that nobody writes to would hang the program; without the
    // second a terminal could become ours.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.cast_signed())
        .open(path)?;
    if file.metadata()?.is_dir() {
        return Err(ReadFault::Folder);
    }
    Ok(file)
}

/// The bytes of a file, `most` of them at most.
pub(crate) fn read(path: &Path, most: usize) -> Result<Zeroizing<Vec<u8>>, ReadFault> {
    let file = open(path)?;
    let metadata = file.metadata()?;
    let is_pipe = metadata.file_type().is_fifo();
    let expected = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected.min(most) + 1));
    let began = Instant::now();
    loop {
        let left = (most + 1 - bytes.len()) as u64;
        match (&file).take(left).read_to_end(&mut bytes) {
            Ok(_) if bytes.len() > most => return Err(ReadFault::TooLarge(most)),
            // Whoever is to write into a named pipe may not have opened it yet.
            Ok(_) if is_pipe && bytes.is_empty() => {}
            Ok(_) => return Ok(bytes),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        if began.elapsed() > PIPE_PATIENCE {
            return Err(ReadFault::Silent);
        }
        sleep(PIPE_INTERVAL);
    }
}

/// Characters that nobody sees, and that come along when text is copied from a page, a chat or a
/// dialogue.
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

/// Quotation marks, also those that word processors put in the place of plain ones.
pub(crate) fn is_quote(c: char) -> bool {
    matches!(
        c,
        '"' | '\'' | '`' | '\u{b4}' | '\u{ab}' | '\u{bb}' | '\u{2018}'
            ..='\u{201f}' | '\u{2039}' | '\u{203a}'
    )
}

/// Without blanks, line ends, invisible characters and U+0000 at either end.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c) || matches!(c, '\0' | '\x1a'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_no_file_is_told_and_does_not_hang() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "abc").unwrap();
        assert_eq!(&**read(&file, 3).unwrap(), b"abc");
        let told = |path: &Path, most| read(path, most).unwrap_err().to_string();
        assert_eq!(
            told(&file, 2),
            "is larger than 0 KiB, which no such file is"
        );
        assert_eq!(told(folder.path(), 9), "must be a file, but is a folder");
        assert_eq!(told(&folder.path().join("x"), 9), "there is no such file");
        assert_eq!(
            told(Path::new("/dev/zero"), SECRET),
            "is larger than 64 KiB, which no such file is"
        );
        assert!(read(Path::new("/dev/null"), 9).unwrap().is_empty());
    }

    #[test]
    fn a_pipe_gives_what_is_written_into_it_and_is_not_waited_for_without_end() {
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
            assert_eq!(&**read(&pipe, SECRET).unwrap(), b"from a pipe");
        });
        assert!(matches!(read(&pipe, SECRET), Err(ReadFault::Silent)));
        assert!(probe(&pipe).is_ok());
    }

    #[test]
    fn too_many_open_files_stay_known_as_that() {
        let fault = ReadFault::Io(io::Error::from_raw_os_error(24));
        assert!(fault.to_string().contains("Too many open files"));
        assert_eq!(io::Error::from(fault).raw_os_error(), Some(24));
        let fault = io::Error::from(ReadFault::Folder);
        assert_eq!(fault.to_string(), "must be a file, but is a folder");
    }

    #[test]
    fn what_nobody_sees_is_cut_at_both_ends_only() {
        assert_eq!(trimmed("\u{feff} \u{a0}a b\u{200b}\r\n\0\u{1a}"), "a b");
        assert_eq!(trimmed("a\u{200b}b"), "a\u{200b}b");
    }
}

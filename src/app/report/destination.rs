//! Where reports go: one file, or a folder. Either appears whole or not at all, and nothing that
//! exists is overwritten.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions, ReadDir};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::{NamedTempFile, TempDir};
use unicode_normalization::UnicodeNormalization as _;

use super::workbook;
use crate::pages::{self, IndexRow, ReportFrame};
use crate::store::CustomerDetail;

/// Characters of a customer's name in the name of its file.
const NAME_LENGTH: usize = 60;

const INDEX: &str = "index.html";

/// Begins the names of what is not finished.
const UNFINISHED: &str = ".seatledger-report-";

/// Collects reports, and puts them in their place at the end.
pub(super) struct Destination {
    out: PathBuf,
    has_workbooks: bool,
    kind: Kind,
}

enum Kind {
    /// The files of one report.
    File {
        page: NamedTempFile,
        book: Option<NamedTempFile>,
        is_written: bool,
    },
    Folder {
        unfinished: TempDir,
        /// Whether there is an empty folder already. It stays: it may be a mounted one, or one with
        /// rights of its own.
        is_there: bool,
        names: HashSet<String>,
        rows: Vec<IndexRow>,
    },
}

/// Says why reports cannot go to `out`, which is a matter of the command line.
pub(super) fn refuse(out: &Path, is_folder: bool, has_workbooks: bool) -> Result<(), String> {
    let shown = out.display();
    if !is_folder {
        let book = workbook_beside(out);
        if has_workbooks && book == out {
            let said = "--out is to name the HTML file; the workbook gets its name with .xlsx";
            return Err(said.to_owned());
        }
        let is_taken = |path: &&Path| path.symlink_metadata().is_ok();
        let wanted = [Some(out), has_workbooks.then_some(&*book)];
        return match wanted.into_iter().flatten().find(is_taken) {
            Some(taken) => Err(format!(
                "{} exists already, and is not overwritten; name another file",
                taken.display()
            )),
            None => Ok(()),
        };
    }
    // What a killed one has left is in nobody's way.
    let is_file = |name: OsString| !name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes());
    let is_used = |entries: ReadDir| entries.flatten().any(|entry| is_file(entry.file_name()));
    match fs::read_dir(out).map(is_used) {
        Ok(true) => Err(format!(
            "{shown} is not empty, and reports are not mixed with other files; name a new folder"
        )),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Err(format!(
            "{shown} is a file; the reports of several customers need a folder"
        )),
        // What else there is to say about it is said when it is written to.
        Ok(false) | Err(_) => Ok(()),
    }
}

impl Destination {
    /// Begins what is to be at `out`.
    pub(super) fn new(out: &Path, is_folder: bool, has_workbooks: bool) -> anyhow::Result<Self> {
        let is_there = is_folder && out.is_dir();
        let begin = || {
            let kind = if is_folder {
                let unfinished = tempfile::Builder::new()
                    .prefix(UNFINISHED)
                    .permissions(Permissions::from_mode(0o700))
                    .tempdir_in(if is_there { out } else { parent(out) })?;
                Kind::Folder {
                    unfinished,
                    is_there,
                    names: HashSet::new(),
                    rows: Vec::new(),
                }
            } else {
                Kind::File {
                    page: unfinished_file(out)?,
                    book: has_workbooks.then(|| unfinished_file(out)).transpose()?,
                    is_written: false,
                }
            };
            std::io::Result::Ok(kind)
        };
        Ok(Self {
            out: out.to_owned(),
            has_workbooks,
            kind: begin().with_context(|| cannot_write(out))?,
        })
    }

    /// Writes a customer's report to where it does not show yet.
    pub(super) fn write(
        &mut self,
        detail: &CustomerDetail,
        frame: &ReportFrame,
    ) -> anyhow::Result<()> {
        let html = pages::report(detail, frame);
        let made = self.has_workbooks.then(|| workbook::make(detail, frame));
        let made = made.transpose().context("the workbook cannot be made")?;
        let write = || match &mut self.kind {
            Kind::File {
                page,
                book,
                is_written,
            } => {
                page.write_all(html.as_bytes())?;
                if let Some((book, made)) = book.as_mut().zip(made) {
                    book.write_all(&made)?;
                }
                *is_written = true;
                std::io::Result::Ok(())
            }
            Kind::Folder {
                unfinished,
                names,
                rows,
                ..
            } => {
                let name = file_name(detail, names);
                let page = format!("{name}.html");
                create(&unfinished.path().join(&page), html.as_bytes())?;
                if let Some(made) = made {
                    create(&unfinished.path().join(format!("{name}.xlsx")), &made)?;
                }
                rows.push(IndexRow::new(detail, frame, page));
                Ok(())
            }
        };
        write().with_context(|| cannot_write(&self.out))
    }

    /// Puts the reports in their place. Says how many there are.
    pub(super) fn finish(self, frame: &ReportFrame) -> anyhow::Result<usize> {
        let out = &self.out;
        let finished = match self.kind {
            Kind::File {
                is_written: false, ..
            } => Ok(0),
            Kind::File { page, book, .. } => {
                // The page is the last to appear.
                let book = book.map(|book| (book, workbook_beside(out)));
                let mut files = book.into_iter().chain([(page, out.clone())]);
                files
                    .try_for_each(|(file, place)| {
                        file.as_file().sync_all()?;
                        file.persist_noclobber(place)?;
                        Ok(())
                    })
                    .map(|()| 1)
            }
            Kind::Folder { rows, .. } if rows.is_empty() => Ok(0),
            Kind::Folder {
                unfinished,
                is_there,
                rows,
                ..
            } => {
                let index = pages::report_index(&rows, frame);
                let finish = || {
                    create(&unfinished.path().join(INDEX), index.as_bytes())?;
                    // All files at once: a sync of each would take longer than all else.
                    rustix::fs::syncfs(File::open(unfinished.path())?)?;
                    if is_there {
                        return move_files(unfinished.path(), out);
                    }
                    fs::rename(unfinished.path(), out)?;
                    // Renamed, so that there is nothing to delete.
                    let _renamed = unfinished.keep();
                    Ok(())
                };
                finish().map(|()| rows.len())
            }
        };
        finished.with_context(|| cannot_write(out))
    }
}

/// Moves all files, the list of the others last.
fn move_files(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        if name != INDEX {
            fs::rename(from.join(&name), to.join(&name))?;
        }
    }
    fs::rename(from.join(INDEX), to.join(INDEX))
}

fn cannot_write(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}

fn parent(out: &Path) -> &Path {
    match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn workbook_beside(out: &Path) -> PathBuf {
    out.with_extension("xlsx")
}

/// A file beside its place, readable by its owner alone, that is deleted unless it is finished.
fn unfinished_file(out: &Path) -> std::io::Result<NamedTempFile> {
    let mut name = tempfile::Builder::new();
    name.prefix(UNFINISHED).tempfile_in(parent(out))
}

/// Writes a file that only its owner may read.
fn create(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path)?.write_all(content)
}

/// A name for a customer's files: what is left of its name in plain letters and digits, and the
/// beginning of its id, which keeps namesakes apart. No system reserves such a name, and nothing in
/// it means anything in a path or a URL.
fn file_name(detail: &CustomerDetail, taken: &mut HashSet<String>) -> String {
    let id = detail.customer.id.to_string();
    let words = slug(detail.customer.name.as_deref().unwrap_or_default());
    let short = format!("{words}-{}", id.get(..8).unwrap_or(&id));
    if taken.insert(short.clone()) {
        return short;
    }
    let long = format!("{words}-{id}");
    taken.insert(long.clone());
    long
}

fn slug(name: &str) -> String {
    let mut slug = String::new();
    // Taken apart, letters lose their accents.
    for c in name.nfkd() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.ends_with('-') && !slug.is_empty() && !is_mark(c) {
            slug.push('-');
        }
        if slug.len() >= NAME_LENGTH {
            break;
        }
    }
    match slug.trim_end_matches('-') {
        "" => "customer".to_owned(),
        slug => slug.to_owned(),
    }
}

/// Whether a character belongs to the letter before it, such as an accent.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_plain_letters() {
        for (name, expected) in [
            ("Contoso Ltd.", "contoso-ltd"),
            ("Müller & Søn GmbH", "muller-s-n-gmbh"),
            ("../../etc/passwd", "etc-passwd"),
            ("CON", "con"),
            ("<script>alert(1)</script>", "script-alert-1-script"),
            ("\u{202e}gpj.exe", "gpj-exe"),
            ("株式会社", "customer"),
            ("", "customer"),
            ("a\0b\nc", "a-b-c"),
        ] {
            assert_eq!(slug(name), expected);
        }
        assert_eq!(slug(&"x".repeat(512)).len(), NAME_LENGTH);
    }
}

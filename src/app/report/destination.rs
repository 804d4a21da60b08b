//! Where reports go: one file, or a folder. Either appears whole or not at all, and nothing that
//! exists is overwritten.

use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
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
    /// The files of one report, with their places.
    File(Vec<(NamedTempFile, PathBuf)>),
    Folder {
        unfinished: TempDir,
        names: HashSet<String>,
        rows: Vec<IndexRow>,
    },
}

impl Destination {
    /// One report goes into a file, unless `out` is a folder or ends with a slash.
    pub(super) fn new(out: &Path, reports: usize, has_workbooks: bool) -> anyhow::Result<Self> {
        let ends_with_slash = out.as_os_str().as_encoded_bytes().ends_with(b"/");
        let is_folder = reports != 1 || ends_with_slash || out.is_dir();
        let kind = if is_folder {
            refuse_used_folder(out)?;
            let unfinished = tempfile::Builder::new()
                .prefix(UNFINISHED)
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(parent(out));
            Kind::Folder {
                unfinished: unfinished.with_context(|| cannot_write(parent(out)))?,
                names: HashSet::new(),
                rows: Vec::new(),
            }
        } else {
            let wanted = [
                Some(out.to_owned()),
                has_workbooks.then(|| workbook_beside(out)),
            ];
            for path in wanted.iter().flatten() {
                if path.symlink_metadata().is_ok() {
                    bail!(
                        "{} exists already, and is not overwritten; name another file",
                        path.display()
                    );
                }
            }
            if has_workbooks && workbook_beside(out) == out {
                bail!("--out is to name the HTML file; the workbook gets its name with .xlsx");
            }
            Kind::File(Vec::new())
        };
        Ok(Self {
            out: out.to_owned(),
            has_workbooks,
            kind,
        })
    }

    /// Writes a customer's report to where it does not show yet.
    pub(super) fn write(
        &mut self,
        detail: &CustomerDetail,
        frame: &ReportFrame,
    ) -> anyhow::Result<()> {
        let html = pages::report(detail, frame);
        let book = self.has_workbooks.then(|| workbook::make(detail, frame));
        let book = book.transpose().context("the workbook cannot be made")?;
        let out = &self.out;
        match &mut self.kind {
            Kind::File(files) => {
                files.push((unfinished_file(out, html.as_bytes())?, out.clone()));
                if let Some(book) = book {
                    files.push((unfinished_file(out, &book)?, workbook_beside(out)));
                }
            }
            Kind::Folder {
                unfinished,
                names,
                rows,
            } => {
                let name = file_name(detail, names);
                let page = format!("{name}.html");
                let path = unfinished.path().join(&page);
                fs::write(path, html).with_context(|| cannot_write(out))?;
                if let Some(book) = book {
                    let path = unfinished.path().join(format!("{name}.xlsx"));
                    fs::write(path, book).with_context(|| cannot_write(out))?;
                }
                rows.push(IndexRow::new(detail, frame, page));
            }
        }
        Ok(())
    }

    /// Puts the reports in their place. Says how many there are.
    pub(super) fn finish(self, frame: &ReportFrame) -> anyhow::Result<usize> {
        let out = &self.out;
        match self.kind {
            Kind::File(files) => {
                let reports = files.len().min(1);
                // The page is the last to appear.
                for (file, place) in files.into_iter().rev() {
                    file.persist_noclobber(&place)
                        .with_context(|| cannot_write(&place))?;
                }
                Ok(reports)
            }
            Kind::Folder { rows, .. } if rows.is_empty() => Ok(0),
            Kind::Folder {
                unfinished, rows, ..
            } => {
                let index = pages::report_index(&rows, frame);
                let finish = || {
                    fs::write(unfinished.path().join(INDEX), index)?;
                    // All files at once: a sync of each would take longer than all else.
                    rustix::fs::syncfs(File::open(unfinished.path())?)?;
                    // Replaces an empty folder only.
                    fs::rename(unfinished.path(), out)
                };
                finish().with_context(|| cannot_write(out))?;
                // Renamed, so that there is nothing to delete.
                let _renamed = unfinished.keep();
                Ok(rows.len())
            }
        }
    }
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

fn refuse_used_folder(out: &Path) -> anyhow::Result<()> {
    match fs::read_dir(out) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => bail!(
                "{} is not empty, and reports are not mixed with other files; name a new folder",
                out.display()
            ),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => bail!(
            "{} is a file; the reports of several customers need a folder",
            out.display()
        ),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", out.display())),
    }
}

/// A file beside its place, readable by its owner alone, that is deleted unless it is finished.
fn unfinished_file(out: &Path, content: &[u8]) -> anyhow::Result<NamedTempFile> {
    let write = || {
        let mut file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempfile_in(parent(out))?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        std::io::Result::Ok(file)
    };
    write().with_context(|| cannot_write(out))
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

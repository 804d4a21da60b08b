//! The files that a report is made with: the texts and the partner's logo.

use std::path::Path;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cli::Report;
use crate::pages::{Language, Partner};
use crate::text::{self, MAX_DOCUMENT_BYTES};

/// Reads the files that the command line names.
pub(super) fn read(arguments: &Report) -> anyhow::Result<(Language, Partner)> {
    let texts = match &arguments.language {
        Some(path) => language(path).with_context(|| about("language", path))?,
        None => Language::english(),
    };
    let logo = arguments.logo.as_deref();
    let logo = logo.map(|path| image(path).with_context(|| about("logo", path)));
    let name = arguments.partner.clone();
    let partner = Partner {
        name: name.filter(|name| !name.trim().is_empty()),
        logo: logo.transpose()?,
    };
    Ok((texts, partner))
}

fn about(option: &str, path: &Path) -> String {
    format!("--{option}: {} cannot be used", path.display())
}

fn language(path: &Path) -> anyhow::Result<Language> {
    let bytes = text::read(path, MAX_DOCUMENT_BYTES)?;
    let text = text::decode(&bytes)?;
    Ok(Language::from_file(text.as_str())?)
}

/// An image as a data URI. It stands in an `img` element, where an SVG runs no script and loads
/// nothing.
fn image(path: &Path) -> anyhow::Result<String> {
    let bytes = text::read(path, MAX_DOCUMENT_BYTES)?;
    let Some(kind) = kind(&bytes) else {
        bail!("it is neither PNG nor JPEG nor SVG");
    };
    Ok(format!(
        "data:image/{kind};base64,{}",
        STANDARD.encode(&*bytes)
    ))
}

fn kind(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some("png");
    }
    if bytes.starts_with(b"\xff\xd8\xff") {
        return Some("jpeg");
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let is_svg = text.starts_with("<svg") || (text.starts_with('<') && text.contains("<svg"));
    is_svg.then_some("svg+xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_known_by_their_first_bytes() {
        for (bytes, expected) in [
            (&b"\x89PNG\r\n\x1a\n..."[..], Some("png")),
            (b"\xff\xd8\xff\xe0", Some("jpeg")),
            (
                b"<svg xmlns='http://www.w3.org/2000/svg'/>",
                Some("svg+xml"),
            ),
            (
                b"\xef\xbb\xbf<?xml version='1.0'?>\n<svg/>",
                Some("svg+xml"),
            ),
            (b"GIF89a", None),
            (b"text about <svg>", None),
            (b"", None),
        ] {
            assert_eq!(kind(bytes), expected, "{bytes:?}");
        }
    }
}

//! Badges: a label and a few words as a small picture, for wikis and dashboards.

use askama::Template;

/// How good what a badge says is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Warn,
    Bad,
    Unknown,
}

/// A badge.
#[derive(Template)]
#[template(path = "badge.svg")]
pub(crate) struct Badge {
    pub(crate) label: &'static str,
    pub(crate) words: String,
    pub(crate) tone: Tone,
}

impl Badge {
    /// Each with white letters on it at a contrast of 4.5 or more.
    fn colour(&self) -> &'static str {
        match self.tone {
            Tone::Good => "#1a7f46",
            Tone::Warn => "#8f5a00",
            Tone::Bad => "#b3261e",
            Tone::Unknown => "#5f6b76",
        }
    }

    fn label_width(&self) -> usize {
        width(self.label)
    }

    fn words_width(&self) -> usize {
        width(&self.words)
    }
}

/// Of letters 11 pixels high, with room on both sides. `textLength` fits the letters to it, because
/// the font is not known.
fn width(text: &str) -> usize {
    text.chars().count() * 13 / 2 + 12
}

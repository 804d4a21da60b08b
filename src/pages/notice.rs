//! A page with one message instead of figures.

use askama::Template;

use super::layout::Layout;

/// Why there are no figures, and what to do.
#[derive(Template)]
#[template(path = "notice.html")]
pub(crate) struct Notice {
    pub(crate) layout: Layout,
    /// What is the matter, in one sentence.
    pub(crate) message: String,
    /// What else there is to say, a paragraph each.
    pub(crate) paragraphs: Vec<String>,
}

//! Text that others have written (a server, a certificate, a customer's name), made fit for a
//! terminal, a log line and a record.

/// Longer texts are cut: the log and the terminal are not the place for a whole web page.
const MAX_CHARS: usize = 300;

/// The text on one line and of bounded length. Control characters, which a terminal would obey,
/// become spaces; characters that reverse the order of the text beside them are removed.
pub(crate) fn printable(text: &str) -> String {
    let reorders = |c: &char| {
        let is_mark = matches!(c, '\u{200e}' | '\u{200f}');
        is_mark || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut chars = text.trim().chars().filter(|c| !reorders(c));
    let mut printable: String = chars
        .by_ref()
        .take(MAX_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if chars.next().is_some() {
        printable.push('…');
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_spaces_and_nothing_reverses_the_text() {
        assert_eq!(printable("a\0b\x1b[31m\r\nc\n"), "a b [31m  c");
        assert_eq!(printable("\u{202e}moc.elpmaxe\u{202c} ü"), "moc.elpmaxe ü");
    }

    #[test]
    fn a_long_text_is_cut() {
        let whole = "ü".repeat(MAX_CHARS);
        assert_eq!(printable(&whole), whole);
        assert_eq!(printable(&"ü".repeat(1_000)), format!("{whole}…"));
    }
}

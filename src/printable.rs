//! Text that others have written (a server, a certificate, a customer's name), made fit for a
//! terminal, a log line and a record; bytes as digits.

use std::fmt::Write as _;

/// Longer texts are cut: the log and the terminal are not the place for a whole web page.
const MAX_CHARS: usize = 300;

/// The text on one line and of bounded length. Control characters, which a terminal would obey,
/// become spaces; characters that reverse the order of the text beside them are removed.
pub(crate) fn printable(text: &str) -> String {
    let is_mark = |c: char| matches!(c, '\u{200e}' | '\u{200f}');
    let mut chars = text
        .trim()
        .chars()
        .filter(|c| !is_mark(*c) && !turns_direction(*c));
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

/// A name for a terminal, which may be in the midst of other text: one in a script that is written
/// from right to left is isolated, so that it neither turns the line nor moves what stands beside
/// it. Others have no such characters: some terminals show them.
pub(crate) fn isolated(name: &str) -> String {
    let is_reversed = |c| {
        matches!(
            c,
            '\u{590}'..='\u{8ff}'
                | '\u{fb1d}'..='\u{fdff}'
                | '\u{fe70}'..='\u{feff}'
                | '\u{10800}'..='\u{10fff}'
                | '\u{1e800}'..='\u{1efff}'
        )
    };
    if name.contains(is_reversed) {
        format!("\u{2068}{name}\u{2069}")
    } else {
        name.to_owned()
    }
}

/// Whether a character turns the direction of the text after it, until another one ends that.
pub(crate) fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Each byte as two hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(digits, "{byte:02x}").expect("writing to a string never fails");
    }
    digits
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
    fn only_a_name_that_is_written_from_right_to_left_is_isolated() {
        for name in ["Contoso & Söhne", "漢字 Ltd", "🚀", ""] {
            assert_eq!(isolated(name), name);
        }
        for name in ["שלום 42", "Contoso الاختبار", "\u{1e900}"] {
            assert_eq!(isolated(name), format!("\u{2068}{name}\u{2069}"));
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let whole = "ü".repeat(MAX_CHARS);
        assert_eq!(printable(&whole), whole);
        assert_eq!(printable(&"ü".repeat(1_000)), format!("{whole}…"));
    }
}

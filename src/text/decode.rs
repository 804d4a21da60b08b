//! Makes text of bytes: UTF-8, UTF-16 and UTF-32 with and without a byte order mark, and, line by
//! line, the code page that Windows calls ANSI. Pure.

use secrecy::zeroize::Zeroizing;

/// Bytes without which no line of a file counts as appended in another encoding: a GUID has twice
/// as many.
const TELLING_RUN: usize = 16;

/// The first bytes of files that are taken for text by mistake.
const SIGNATURES: [(&[u8], NotText); 9] = [
    (b"PK\x03\x04", NotText::Archive),
    (b"PK\x05\x06", NotText::Archive),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", NotText::OldOffice),
    (b"%PDF-", NotText::Pdf),
    (b"{\\rtf", NotText::RichText),
    (b"\x1f\x8b", NotText::Compressed),
    (b"7z\xbc\xaf\x27\x1c", NotText::Compressed),
    (b"BZh", NotText::Compressed),
    (b"PAR1", NotText::Parquet),
];

/// Why bytes are no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotText {
    #[error("is no text file but a ZIP archive, as Excel workbooks (.xlsx) and Word documents are")]
    Archive,
    #[error("is no text file but a document of an old Office program (.xls, .doc)")]
    OldOffice,
    #[error("is no text file but a PDF document")]
    Pdf,
    #[error("is no plain text file but rich text (.rtf); save it as plain text")]
    RichText,
    #[error("is no text file but a compressed one; unpack it first")]
    Compressed,
    #[error("is no text file but a Parquet one")]
    Parquet,
    #[error(
        "holds nothing but zero bytes, as files do that were being written when the power failed"
    )]
    Zeros,
    #[error("is no text file: its bytes are neither UTF-8 nor UTF-16 nor a Windows code page")]
    Binary,
}

/// A file's text. Lines end with `\n`.
pub(crate) struct Text {
    text: Zeroizing<String>,
    guessed: Option<usize>,
}

impl Text {
    /// The text itself.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The first line that is no Unicode, so that letters beyond ASCII in it are guesses.
    pub(crate) fn guessed_line(&self) -> Option<usize> {
        self.guessed
    }
}

/// Reads `bytes` in the encoding that they show.
pub(crate) fn decode(bytes: &[u8]) -> Result<Text, NotText> {
    if let Some((_, what)) = SIGNATURES
        .iter()
        .find(|(begin, _)| bytes.starts_with(begin))
    {
        return Err(*what);
    }
    if !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0) {
        return Err(NotText::Zeros);
    }
    let (encoding, body) = encoding_of(bytes);
    let (text, guessed) = match encoding {
        Encoding::Utf8 => line_by_line(body),
        Encoding::Mixed => {
            let plain: Zeroizing<Vec<u8>> =
                Zeroizing::new(body.iter().copied().filter(|byte| *byte != 0).collect());
            line_by_line(&plain)
        }
        Encoding::Utf16(end) => (wide(body, 2, end), None),
        Encoding::Utf32(end) => (wide(body, 4, end), None),
    };
    let text = Zeroizing::new(tidy(&text));
    if is_binary(&text) {
        return Err(NotText::Binary);
    }
    Ok(Text { text, guessed })
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Little,
    Big,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Encoding {
    Utf8,
    Utf16(End),
    Utf32(End),
    /// Lines of one byte a character beside lines of two: somebody appended with a tool that writes
    /// another encoding, such as `>>` of Windows PowerShell. What is ASCII survives without the
    /// zero bytes.
    Mixed,
}

/// The encoding, and the bytes after the byte order mark.
fn encoding_of(bytes: &[u8]) -> (Encoding, &[u8]) {
    let (named, body) = match bytes {
        [0xef, 0xbb, 0xbf, body @ ..] => (Some(Encoding::Utf8), body),
        [0xff, 0xfe, 0, 0, body @ ..] => (Some(Encoding::Utf32(End::Little)), body),
        [0, 0, 0xfe, 0xff, body @ ..] => (Some(Encoding::Utf32(End::Big)), body),
        [0xff, 0xfe, body @ ..] => (Some(Encoding::Utf16(End::Little)), body),
        [0xfe, 0xff, body @ ..] => (Some(Encoding::Utf16(End::Big)), body),
        body => (None, body),
    };
    let zeros = |parity: usize| {
        let every_second = body.iter().skip(parity).step_by(2);
        every_second.filter(|byte| **byte == 0).count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    let wide_is_named = matches!(named, Some(Encoding::Utf16(_)));
    if (wide_is_named || even + odd > 0) && !matches!(named, Some(Encoding::Utf32(_))) {
        let has_wide = wide_is_named || even.max(odd) >= TELLING_RUN / 2;
        if has_wide && has_narrow_line(body) {
            return (Encoding::Mixed, body);
        }
    }
    if let Some(named) = named {
        return (named, body);
    }
    // In text that is mostly ASCII every second byte is zero, and text in UTF-8 or a code page has
    // none.
    let enough = body.len() / 8;
    let encoding = if odd > enough && even * 16 <= odd {
        Encoding::Utf16(End::Little)
    } else if even > enough && odd * 16 <= even {
        Encoding::Utf16(End::Big)
    } else {
        Encoding::Utf8
    };
    (encoding, body)
}

/// Whether a line of one byte a character ends in it. Pairs of such bytes could be Chinese
/// characters, but hardly so many of them in a row.
fn has_narrow_line(bytes: &[u8]) -> bool {
    let mut run = 0;
    for byte in bytes {
        match byte {
            b'\n' if run >= TELLING_RUN => return true,
            b'\t' | b'\r' | b' '..=b'~' => run += 1,
            _ => run = 0,
        }
    }
    false
}

/// Each line as UTF-8, or else in the code page. Also says which line was the first of the latter.
fn line_by_line(bytes: &[u8]) -> (Zeroizing<String>, Option<usize>) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (Zeroizing::new(text.to_owned()), None);
    }
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    let mut guessed = None;
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    for line in lines {
        if let Ok(line) = std::str::from_utf8(line) {
            text.push_str(line);
        } else {
            guessed.get_or_insert_with(|| line_number(&text));
            text.extend(line.iter().copied().map(windows_1252));
        }
    }
    (text, guessed)
}

/// The line on which a text ends, with all of its line ends counted.
fn line_number(before: &str) -> usize {
    let lone_returns = before.matches('\r').count() - before.matches("\r\n").count();
    before.matches('\n').count() + lone_returns + 1
}

fn wide(bytes: &[u8], width: usize, end: End) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len()));
    let whole = bytes.chunks_exact(width);
    let is_cut = whole.remainder().iter().any(|byte| *byte != 0);
    let number = |unit: &[u8]| {
        let place = |number: u32, byte: &u8| (number << 8) | u32::from(*byte);
        match end {
            End::Big => unit.iter().fold(0, place),
            End::Little => unit.iter().rev().fold(0, place),
        }
    };
    if width == 2 {
        let units = whole.map(|unit| u16::try_from(number(unit)).unwrap_or_default());
        let chars = char::decode_utf16(units);
        text.extend(chars.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    } else {
        let chars = whole.map(|unit| char::from_u32(number(unit)));
        text.extend(chars.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    }
    if is_cut {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

/// One kind of line end, and nothing after the last line: MS-DOS marks the end with Ctrl-Z, and a
/// crash with zeros.
fn tidy(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}');
    // The same mark, read as a code page once and saved again.
    let text = text.strip_prefix("\u{ef}\u{bb}\u{bf}").unwrap_or(text);
    let text = text.trim_end_matches(['\0', '\x1a']);
    let mut tidy = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                tidy.push('\n');
            }
            c => tidy.push(c),
        }
    }
    tidy
}

/// Whether most lines hold control codes, so that it never was text. One such line in a list is no
/// reason to refuse the others.
fn is_binary(text: &str) -> bool {
    let is_code = |c: &char| {
        c.is_control() && !c.is_whitespace() && !matches!(c, '\x1a' | '\x1b') || *c == '\u{fffd}'
    };
    let mut codes = 0;
    let (mut with, mut without) = (0_usize, 0_usize);
    for line in text.split('\n').filter(|line| !line.trim().is_empty()) {
        match line.chars().filter(is_code).count() {
            0 => without += 1,
            count => {
                with += 1;
                codes += count;
            }
        }
    }
    codes >= 8 && with > without
}

/// What a byte stands for in Windows-1252, of which the other Western code pages are parts.
fn windows_1252(byte: u8) -> char {
    const UPPER: [char; 32] = [
        '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}',
        '\u{2021}', '\u{2c6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}',
        '\u{8f}', '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}',
        '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}',
        '\u{178}',
    ];
    match byte {
        0x80..=0x9f => UPPER[usize::from(byte - 0x80)],
        other => char::from(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "customer_id;Name\r\n4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04;M\u{fc}ller, \u{4e0a}\u{6d77}\r\n";

    fn units<const N: usize>(text: &str, bytes: impl Fn(u16) -> [u8; N]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    fn read(bytes: &[u8]) -> String {
        decode(bytes).map(|text| text.as_str().to_owned()).unwrap()
    }

    #[test]
    fn every_encoding_gives_the_same_text_with_and_without_its_mark() {
        let expected = TEXT.replace("\r\n", "\n");
        for marked in [format!("\u{feff}{TEXT}"), TEXT.to_owned()] {
            assert_eq!(read(marked.as_bytes()), expected);
            assert_eq!(read(&units(&marked, u16::to_le_bytes)), expected);
            assert_eq!(read(&units(&marked, u16::to_be_bytes)), expected);
        }
        let marked = format!("\u{feff}{TEXT}");
        for bytes in [u32::to_le_bytes, u32::to_be_bytes] {
            let wide: Vec<u8> = marked.chars().flat_map(|c| bytes(u32::from(c))).collect();
            assert_eq!(read(&wide), expected);
        }
    }

    #[test]
    fn a_code_page_is_read_line_by_line_and_told() {
        let text = decode(b"a\r\xc3\xa4\r\nM\xfcller \x80\n\xe4\n").unwrap();
        assert_eq!(text.as_str(), "a\n\u{e4}\nM\u{fc}ller \u{20ac}\n\u{e4}\n");
        assert_eq!(text.guessed_line(), Some(3));
        assert_eq!(decode(TEXT.as_bytes()).unwrap().guessed_line(), None);
    }

    #[test]
    fn lines_appended_in_another_encoding_are_read() {
        let line = "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04\r\n";
        let wide = units(line, u16::to_le_bytes);
        let expected = format!("{line}{line}").replace("\r\n", "\n");
        assert_eq!(read(&[line.as_bytes(), &wide].concat()), expected);
        let marked = units(&format!("\u{feff}{line}"), u16::to_le_bytes);
        assert_eq!(read(&[&marked, line.as_bytes()].concat()), expected);
    }

    #[test]
    fn what_ends_a_file_beyond_its_last_line_is_left_out() {
        for end in ["\x1a", "\0\0\0", "\x1a\0"] {
            assert_eq!(read(format!("a\rb\r\nc\n{end}").as_bytes()), "a\nb\nc\n");
        }
        assert_eq!(read(b""), "");
        assert_eq!(read(b"\xef\xbb\xbf"), "");
    }

    #[test]
    fn what_is_no_text_is_named() {
        for (bytes, what) in [
            (&b"PK\x03\x04\x14\0"[..], NotText::Archive),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", NotText::OldOffice),
            (b"%PDF-1.7", NotText::Pdf),
            (b"\x1f\x8b\x08", NotText::Compressed),
            (&[0; 40], NotText::Zeros),
        ] {
            assert_eq!(decode(bytes).err(), Some(what));
        }
        let noise: Vec<u8> = (0..=255).cycle().take(2_000).collect();
        assert_eq!(decode(&noise).err(), Some(NotText::Binary));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd_to_answer(bytes: Vec<u8>) {
            let _answer = decode(&bytes);
        }

        #[test]
        fn text_in_utf_8_comes_back_as_it_was(text in "[^\r\0\u{1a}\u{feff}\u{fffd}\\p{Cc}]{0,40}") {
            prop_assume!(decode(text.as_bytes()).is_ok());
            prop_assert_eq!(read(text.as_bytes()), text);
        }
    }
}

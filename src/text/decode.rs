//! Decodes bytes as text: UTF-8, UTF-16 and UTF-32 with or without a byte order mark, and, line by
//! line, Windows-1252. Pure.

use secrecy::zeroize::Zeroizing;

/// Printable bytes in a row that make a line count as one-byte text within a UTF-16 file. Shorter
/// runs can be Chinese characters; a GUID has twice as many.
const MIN_NARROW_RUN: usize = 16;

/// The first bytes of files that are often mistaken for text.
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

/// Why bytes are not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotText {
    #[error(
        "is not a text file but a ZIP archive, as Excel workbooks (.xlsx) and Word documents are"
    )]
    Archive,
    #[error("is not a text file but a document of an old Office program (.xls, .doc)")]
    OldOffice,
    #[error("is not a text file but a PDF document")]
    Pdf,
    #[error("is not plain text but rich text (.rtf); save it as plain text")]
    RichText,
    #[error("is not a text file but a compressed one; unpack it first")]
    Compressed,
    #[error("is not a text file but a Parquet one")]
    Parquet,
    #[error("holds only zero bytes, as a file does that was being written when the power failed")]
    Zeros,
    #[error("is not a text file: its bytes are neither UTF-8 nor UTF-16 nor a Windows code page")]
    Binary,
}

/// The text of a file. Lines end with `\n`.
pub(crate) struct DecodedText {
    text: Zeroizing<String>,
    first_guessed_line: Option<usize>,
}

impl DecodedText {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The first line that is not Unicode. Characters beyond ASCII in it are guesses.
    pub(crate) fn guessed_line(&self) -> Option<usize> {
        self.first_guessed_line
    }
}

/// Decodes `bytes` in the encoding that they appear to have.
pub(crate) fn decode(bytes: &[u8]) -> Result<DecodedText, NotText> {
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
    let (text, first_guessed_line) = match encoding {
        Encoding::Utf8 => decode_lines(body),
        Encoding::Mixed => {
            let plain: Zeroizing<Vec<u8>> =
                Zeroizing::new(body.iter().copied().filter(|byte| *byte != 0).collect());
            decode_lines(&plain)
        }
        Encoding::Utf16(order) => (decode_units(body, 2, order), None),
        Encoding::Utf32(order) => (decode_units(body, 4, order), None),
    };
    let text = Zeroizing::new(normalize(&text));
    if is_binary(&text) {
        return Err(NotText::Binary);
    }
    Ok(DecodedText {
        text,
        first_guessed_line,
    })
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ByteOrder {
    Little,
    Big,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Encoding {
    Utf8,
    Utf16(ByteOrder),
    Utf32(ByteOrder),
    /// Lines of one-byte characters beside lines in UTF-16, because lines were appended with a tool
    /// that writes another encoding, such as `>>` of Windows PowerShell. Dropping the zero bytes
    /// preserves the ASCII characters.
    Mixed,
}

/// The encoding, and the bytes after the byte order mark.
fn encoding_of(bytes: &[u8]) -> (Encoding, &[u8]) {
    let (marked, body) = match bytes {
        [0xef, 0xbb, 0xbf, body @ ..] => (Some(Encoding::Utf8), body),
        [0xff, 0xfe, 0, 0, body @ ..] => (Some(Encoding::Utf32(ByteOrder::Little)), body),
        [0, 0, 0xfe, 0xff, body @ ..] => (Some(Encoding::Utf32(ByteOrder::Big)), body),
        [0xff, 0xfe, body @ ..] => (Some(Encoding::Utf16(ByteOrder::Little)), body),
        [0xfe, 0xff, body @ ..] => (Some(Encoding::Utf16(ByteOrder::Big)), body),
        body => (None, body),
    };
    let zeros = |parity: usize| {
        let every_second = body.iter().skip(parity).step_by(2);
        every_second.filter(|byte| **byte == 0).count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    let is_marked_utf16 = matches!(marked, Some(Encoding::Utf16(_)));
    if (is_marked_utf16 || even + odd > 0) && !matches!(marked, Some(Encoding::Utf32(_))) {
        let has_utf16 = is_marked_utf16 || even.max(odd) >= MIN_NARROW_RUN / 2;
        if has_utf16 && has_narrow_line(body) {
            return (Encoding::Mixed, body);
        }
    }
    if let Some(marked) = marked {
        return (marked, body);
    }
    // In UTF-16 that is mostly ASCII every second byte is zero; UTF-8 and code pages have no zero
    // bytes.
    let enough = body.len() / 8;
    let encoding = if odd > enough && even * 16 <= odd {
        Encoding::Utf16(ByteOrder::Little)
    } else if even > enough && odd * 16 <= even {
        Encoding::Utf16(ByteOrder::Big)
    } else {
        Encoding::Utf8
    };
    (encoding, body)
}

/// Whether there is a line of one-byte characters. Pairs of such bytes could be Chinese characters
/// in UTF-16, but hardly so many of them in a row.
fn has_narrow_line(bytes: &[u8]) -> bool {
    let mut run = 0;
    for byte in bytes {
        match byte {
            b'\n' if run >= MIN_NARROW_RUN => return true,
            b'\t' | b'\r' | b' '..=b'~' => run += 1,
            _ => run = 0,
        }
    }
    false
}

/// Decodes each line as UTF-8, or else as Windows-1252. Also returns the number of the first line
/// that is not UTF-8.
fn decode_lines(bytes: &[u8]) -> (Zeroizing<String>, Option<usize>) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (Zeroizing::new(text.to_owned()), None);
    }
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    let mut first_guessed = None;
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    for line in lines {
        if let Ok(line) = std::str::from_utf8(line) {
            text.push_str(line);
        } else {
            first_guessed.get_or_insert_with(|| line_number(&text));
            text.extend(line.iter().copied().map(windows_1252));
        }
    }
    (text, first_guessed)
}

/// The number of the line on which `before` ends, with any kind of line end.
fn line_number(before: &str) -> usize {
    let lone_returns = before.matches('\r').count() - before.matches("\r\n").count();
    before.matches('\n').count() + lone_returns + 1
}

/// Decodes UTF-16 or UTF-32, by the width of a code unit in bytes.
fn decode_units(bytes: &[u8], width: usize, order: ByteOrder) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len()));
    let whole = bytes.chunks_exact(width);
    let is_cut_off = whole.remainder().iter().any(|byte| *byte != 0);
    let number = |unit: &[u8]| {
        let place = |number: u32, byte: &u8| (number << 8) | u32::from(*byte);
        match order {
            ByteOrder::Big => unit.iter().fold(0, place),
            ByteOrder::Little => unit.iter().rev().fold(0, place),
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
    if is_cut_off {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

/// Makes all line ends `\n`, and drops what may follow the last line: a Ctrl-Z from MS-DOS tools,
/// zero bytes after a crash.
fn normalize(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}');
    // A byte order mark that was decoded as Windows-1252 and saved again.
    let text = text.strip_prefix("\u{ef}\u{bb}\u{bf}").unwrap_or(text);
    let text = text.trim_end_matches(['\0', '\x1a']);
    let mut normalized = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                normalized.push('\n');
            }
            c => normalized.push(c),
        }
    }
    normalized
}

/// Whether most lines contain control characters, which text does not. A few such lines are no
/// reason to refuse the others.
fn is_binary(text: &str) -> bool {
    let is_control = |c: &char| {
        c.is_control() && !c.is_whitespace() && !matches!(c, '\x1a' | '\x1b') || *c == '\u{fffd}'
    };
    let mut controls = 0;
    let (mut with, mut without) = (0_usize, 0_usize);
    for line in text.split('\n').filter(|line| !line.trim().is_empty()) {
        match line.chars().filter(is_control).count() {
            0 => without += 1,
            count => {
                with += 1;
                controls += count;
            }
        }
    }
    controls >= 8 && with > without
}

/// The character of a byte in Windows-1252, which includes the other Western code pages.
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

    const TEXT: &str = "customer_id;Name\r\n\
        4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04;M\u{fc}ller, \u{4e0a}\u{6d77}\r\n";

    fn units<const N: usize>(text: &str, bytes: impl Fn(u16) -> [u8; N]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    fn read(bytes: &[u8]) -> String {
        decode(bytes).map(|text| text.as_str().to_owned()).unwrap()
    }

    #[test]
    fn every_encoding_is_decoded_with_and_without_a_byte_order_mark() {
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
    fn a_code_page_is_decoded_line_by_line_and_reported() {
        let text = decode(b"a\r\xc3\xa4\r\nM\xfcller \x80\n\xe4\n").unwrap();
        assert_eq!(text.as_str(), "a\n\u{e4}\nM\u{fc}ller \u{20ac}\n\u{e4}\n");
        assert_eq!(text.guessed_line(), Some(3));
        assert_eq!(decode(TEXT.as_bytes()).unwrap().guessed_line(), None);
    }

    #[test]
    fn lines_appended_in_another_encoding_are_decoded() {
        let line = "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04\r\n";
        let wide = units(line, u16::to_le_bytes);
        let expected = format!("{line}{line}").replace("\r\n", "\n");
        assert_eq!(read(&[line.as_bytes(), &wide].concat()), expected);
        let marked = units(&format!("\u{feff}{line}"), u16::to_le_bytes);
        assert_eq!(read(&[&marked, line.as_bytes()].concat()), expected);
    }

    #[test]
    fn what_follows_the_last_line_is_dropped() {
        for end in ["\x1a", "\0\0\0", "\x1a\0"] {
            assert_eq!(read(format!("a\rb\r\nc\n{end}").as_bytes()), "a\nb\nc\n");
        }
        assert_eq!(read(b""), "");
        assert_eq!(read(b"\xef\xbb\xbf"), "");
    }

    #[test]
    fn other_kinds_of_files_are_recognised() {
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
        fn no_bytes_cause_a_panic(bytes: Vec<u8>) {
            let _result = decode(&bytes);
        }

        #[test]
        fn utf_8_is_decoded_unchanged(
            text in "[^\r\0\u{1a}\u{feff}\u{fffd}\\p{Cc}]{0,40}"
        ) {
            prop_assume!(decode(text.as_bytes()).is_ok());
            prop_assert_eq!(read(text.as_bytes()), text);
        }
    }
}

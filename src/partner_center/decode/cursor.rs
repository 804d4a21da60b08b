//! Reads the JSON that nearly every answer is made of, in one pass and without a copy: names and
//! texts without escapes. Whatever else comes is no fault yet. It is left to `serde_json`, which
//! reads all there is, and says what is wrong.

use crate::partner_center::decode::wire::Json;

/// Nothing of the API's is nested deeper.
const MAX_DEPTH: u8 = 8;

/// A place in a text. Where a method gives none, the text is not for this reader.
#[derive(Debug)]
pub(in crate::partner_center) struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u8,
}

impl<'a> Reader<'a> {
    pub(in crate::partner_center) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
        }
    }

    /// Whether the text ends here.
    pub(in crate::partner_center) fn is_at_end(&mut self) -> bool {
        self.skip_blanks();
        self.at == self.text.len()
    }

    /// Shows an object's members one by one; `member` has to read the value.
    pub(in crate::partner_center) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a str) -> Option<()>,
    ) -> Option<()> {
        self.sequence(b'{', b'}', |reader| {
            let name = reader.string()?;
            reader.skip_blanks();
            reader.take(b':')?;
            reader.skip_blanks();
            member(reader, name)
        })
    }

    /// Shows a list's items one by one; `item` has to read the value.
    pub(in crate::partner_center) fn list(
        &mut self,
        item: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.sequence(b'[', b']', item)
    }

    /// Reads with `read`, and gives the JSON text that it went over too.
    pub(in crate::partner_center) fn with_json<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<(T, Json<'a>)> {
        let began = self.at;
        let value = read(self)?;
        Some((value, Json::new(&self.text[began..self.at])))
    }

    /// Any value.
    pub(in crate::partner_center) fn value(&mut self) -> Option<Json<'a>> {
        match self.peek()? {
            b'"' => {
                let (_, json) = self.with_json(Self::string)?;
                return Some(Json::plain_text(json.get()));
            }
            b'{' => self.with_json(|reader| reader.object(|reader, _| reader.value().map(drop))),
            b'[' => self.with_json(|reader| reader.list(|reader| reader.value().map(drop))),
            b'n' => self.with_json(|reader| reader.word("null")),
            b't' => self.with_json(|reader| reader.word("true")),
            b'f' => self.with_json(|reader| reader.word("false")),
            _ => self.with_json(Self::number),
        }
        .map(|((), json)| json)
    }

    fn sequence(
        &mut self,
        open: u8,
        close: u8,
        mut part: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.take(open)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        self.skip_blanks();
        if self.peek()? == close {
            self.at += 1;
        } else {
            loop {
                part(self)?;
                self.skip_blanks();
                let next = self.peek()?;
                self.at += 1;
                if next == close {
                    break;
                }
                if next != b',' {
                    return None;
                }
                self.skip_blanks();
            }
        }
        self.depth -= 1;
        Some(())
    }

    /// What a text says.
    fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let began = self.at;
        let rest = &self.text.as_bytes()[began..];
        let length = plain_length(rest);
        if *rest.get(length)? != b'"' {
            return None;
        }
        self.at += length + 1;
        Some(&self.text[began..began + length])
    }

    fn number(&mut self) -> Option<()> {
        let _negative = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if self.take(b'e').or_else(|| self.take(b'E')).is_some() {
            let _sign = self.take(b'+').or_else(|| self.take(b'-'));
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        (count > 0).then_some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let is_here = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += if is_here { word.len() } else { 0 };
        is_here.then_some(())
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        let is_here = self.peek() == Some(byte);
        self.at += usize::from(is_here);
        is_here.then_some(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// How many bytes come before a quotation mark, a backslash or a control character. Most of a body
/// is in texts, so that eight bytes are looked at together.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    // The highest bit of each byte that is below `bound`; above the first such byte there may be
    // others by mistake.
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word & HIGHS;
    let (words, _) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let ends = below(word, b' ')
            | below(word ^ (ONES * u64::from(b'"')), 1)
            | below(word ^ (ONES * u64::from(b'\\')), 1);
        if ends != 0 {
            return number * 8 + (ends.trailing_zeros() / 8) as usize;
        }
    }
    let looked_at = words.len() * 8;
    let rest = bytes[looked_at..].iter();
    looked_at
        + rest
            .take_while(|&&byte| byte != b'"' && byte != b'\\' && byte >= b' ')
            .count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    fn value(text: &str) -> Option<&str> {
        let mut reader = Reader::new(text);
        let value = reader.value()?;
        reader.is_at_end().then_some(value.get())
    }

    #[test]
    fn what_is_plain_is_read() {
        for text in [
            r#"{"a":1,"b":[null,true,false,"語"],"c":{}}"#,
            "[ ]",
            "{ \"a\" :\t-0.5e+7 ,\r\n\"b\" : [ 1 , 20 ] }",
            "0",
            "-10.25E-3",
        ] {
            assert_eq!(value(text), Some(text));
        }
    }

    #[test]
    fn what_is_not_plain_or_no_json_is_left_to_others() {
        for text in [
            r#""a\n""#,
            "\"a\u{1}\"",
            "\"a",
            "01",
            "1.",
            "1e",
            "+1",
            "-",
            "nul",
            "[1,]",
            "[1 2]",
            "{,}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1]"#,
            "[",
            "1 2",
            "",
            "[[[[[[[[[0]]]]]]]]]",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_end_of_a_text_is_found(bytes in prop::collection::vec(prop_oneof![any::<u8>(), b' '..=b'}', Just(b'"')], 0..40)) {
            let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..b' ');
            let expected = bytes.iter().position(ends).unwrap_or(bytes.len());
            prop_assert_eq!(plain_length(&bytes), expected);
        }

        #[test]
        fn nothing_is_read_that_is_no_json(text in "[\\[\\]{}\":,0-9eE.+ntrufalse -]{0,12}|\\PC{0,12}") {
            if value(&text).is_some() {
                let read: Result<&RawValue, _> = serde_json::from_str(&text);
                prop_assert_eq!(read.unwrap().get(), text.trim_end_matches(' '));
            }
        }
    }
}

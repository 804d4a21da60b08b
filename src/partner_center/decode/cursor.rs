//! A fast path for the JSON that nearly every answer consists of: names and strings without
//! escapes, little nesting. It reads in one pass and copies nothing. It gives up on anything else,
//! valid or not; the caller then uses `serde_json`, which reads all JSON and reports what is wrong.

use crate::partner_center::decode::json::Json;

/// Levels of nesting; the API's answers have fewer. Reading recurses, so without a bound a hostile
/// answer could overflow the stack.
const MAX_DEPTH: u8 = 8;

/// A position in a JSON text. A method that returns `None` has met JSON that this cursor does not
/// read, or a fault.
#[derive(Debug)]
pub(in crate::partner_center) struct JsonCursor<'a> {
    text: &'a str,
    at: usize,
    depth: u8,
}

impl<'a> JsonCursor<'a> {
    pub(in crate::partner_center) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
        }
    }

    /// Whether only white space follows.
    pub(in crate::partner_center) fn is_at_end(&mut self) -> bool {
        self.skip_white_space();
        self.at == self.text.len()
    }

    /// Calls `member` with the name of each member of an object; `member` must read the value.
    pub(in crate::partner_center) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a str) -> Option<()>,
    ) -> Option<()> {
        self.sequence(b'{', b'}', |cursor| {
            let name = cursor.string()?;
            cursor.skip_white_space();
            cursor.take(b':')?;
            cursor.skip_white_space();
            member(cursor, name)
        })
    }

    /// Calls `element` for each element of a list; `element` must read the value.
    pub(in crate::partner_center) fn list(
        &mut self,
        element: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.sequence(b'[', b']', element)
    }

    /// Reads with `read`, and also returns the JSON text that it consumed.
    pub(in crate::partner_center) fn with_text<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<(T, Json<'a>)> {
        let start = self.at;
        let value = read(self)?;
        Some((value, Json::new(&self.text[start..self.at])))
    }

    /// Any value.
    pub(in crate::partner_center) fn value(&mut self) -> Option<Json<'a>> {
        match self.peek()? {
            b'"' => {
                let (_, json) = self.with_text(Self::string)?;
                return Some(Json::plain_string(json.get()));
            }
            b'{' => self.with_text(|cursor| cursor.object(|cursor, _| cursor.value().map(drop))),
            b'[' => self.with_text(|cursor| cursor.list(|cursor| cursor.value().map(drop))),
            b'n' => self.with_text(|cursor| cursor.word("null")),
            b't' => self.with_text(|cursor| cursor.word("true")),
            b'f' => self.with_text(|cursor| cursor.word("false")),
            _ => self.with_text(Self::number),
        }
        .map(|((), json)| json)
    }

    fn sequence(
        &mut self,
        open: u8,
        close: u8,
        mut element: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.take(open)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        self.skip_white_space();
        if self.peek()? == close {
            self.at += 1;
        } else {
            loop {
                element(self)?;
                self.skip_white_space();
                let next = self.peek()?;
                self.at += 1;
                if next == close {
                    break;
                }
                if next != b',' {
                    return None;
                }
                self.skip_white_space();
            }
        }
        self.depth -= 1;
        Some(())
    }

    /// The content of a string without escapes.
    fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..b' ');
        let length = rest.iter().position(ends)?;
        if rest[length] != b'"' {
            return None;
        }
        self.at += length + 1;
        Some(&self.text[start..start + length])
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

    fn skip_white_space(&mut self) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    fn value(text: &str) -> Option<&str> {
        let mut cursor = JsonCursor::new(text);
        let value = cursor.value()?;
        cursor.is_at_end().then_some(value.get())
    }

    #[test]
    fn common_json_is_read() {
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
    fn escapes_deep_nesting_and_faults_are_given_up_on() {
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
        fn everything_that_is_read_is_valid_json(
            text in "[\\[\\]{}\":,0-9eE.+ntrufalse -]{0,12}|\\PC{0,12}"
        ) {
            if value(&text).is_some() {
                let read: Result<&RawValue, _> = serde_json::from_str(&text);
                prop_assert_eq!(read.unwrap().get(), text.trim_end_matches(' '));
            }
        }
    }
}

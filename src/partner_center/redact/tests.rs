use std::fmt::Write as _;

use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;

const SECRET: &str = "0.AXoA/zK+9~q-Tok_en.1234567890abcdefghijklmnop==";

fn without<'a>(body: &'a [u8], secret: &str, within: Within) -> Cow<'a, [u8]> {
    Redactor::new(secret).redact(body, within)
}

fn shown(body: &str) -> String {
    let clean = without(body.as_bytes(), SECRET, Within::JsonStrings);
    String::from_utf8(clean.into_owned()).unwrap()
}

fn percent(text: &str, all: bool) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if all || !byte.is_ascii_alphanumeric() {
            let _ = write!(encoded, "%{byte:02X}");
        } else {
            encoded.push(char::from(byte));
        }
        encoded
    })
}

fn escaped(text: &str, prefix: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        let _ = write!(escaped, "{prefix}{byte:04x}");
        escaped
    })
}

#[test]
fn a_token_is_hidden_in_every_spelling() {
    for spelling in [
        SECRET.to_owned(),
        SECRET.replace('/', r"\/"),
        SECRET.replace('/', r"\\\/"),
        escaped(SECRET, r"\u"),
        escaped(SECRET, r"\\u"),
        SECRET.replacen('A', r"\u0041", 1),
        percent(SECRET, false),
        percent(SECRET, true).to_lowercase(),
        percent(&percent(SECRET, false), false),
    ] {
        let body = format!(r#"{{"a":["x {spelling}y"],"{spelling}":1}}"#);
        let expected = format!(r#"{{"a":["x {HIDDEN}y"],"{HIDDEN}":1}}"#);
        assert_eq!(shown(&body), expected, "{spelling}");
    }
}

#[test]
fn half_a_token_is_hidden_and_a_few_letters_are_not() {
    let half = &SECRET[..30];
    assert_eq!(
        shown(&format!(r#"["{half}…"]"#)),
        format!("[\"{HIDDEN}…\"]")
    );
    let few = format!(r#"["{}"]"#, &SECRET[..10]);
    assert_eq!(shown(&few), few);
}

#[test]
fn what_looks_like_an_escape_does_not_hide_the_beginning_of_a_token() {
    for before in ["%A", "100%", "%25", "%2", r"\\u004", r"\\\\u004", r"\\"] {
        let clean = shown(&format!("[\"{before}{SECRET}\"]"));
        assert!(clean.contains(HIDDEN), "{before}: {clean}");
        assert!(!clean.contains("1234567890"), "{before}: {clean}");
    }
}

#[test]
fn a_token_within_base64_of_a_longer_text_is_hidden() {
    for before in ["", "B", "Be", "Bearer ", "user:"] {
        let text = format!("{before}{SECRET} and more");
        for encoded in [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
            let clean = shown(&format!(r#"{{"a":"{encoded}"}}"#));
            assert!(clean.contains(HIDDEN), "{before}: {clean}");
            let middle = &encoded[encoded.len() / 3..encoded.len() / 2];
            assert!(!clean.contains(middle), "{before}: {clean}");
        }
    }
}

#[test]
fn text_without_a_token_stays_as_it_is() {
    for body in [
        r#"{"a":"50 %","b":"\\","c":"\"","d":"\u00e4\/","e":12345678}"#,
        "\"\\",
        "%",
        "%2",
        r#"{"\u12"#,
        "",
    ] {
        assert!(matches!(
            without(body.as_bytes(), SECRET, Within::JsonStrings),
            Cow::Borrowed(_)
        ));
    }
    // A number is not changed, even if the token has the same digits.
    let body = br#"{"licensesActive":12345678,"\u0061":"12345678"}"#;
    assert_eq!(
        &*without(body, "12345678", Within::JsonStrings),
        br#"{"licensesActive":12345678,"\u0061":"(not shown)"}"#
    );
    assert_eq!(
        &*without(b"no JSON: 12345678", "12345678", Within::Everything),
        b"no JSON: (not shown)"
    );
    assert_eq!(
        &*without(b"\"short\"", "short", Within::JsonStrings),
        b"\"short\""
    );
}

#[test]
fn what_looks_like_a_web_token_is_hidden() {
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2ln-_A";
    assert_eq!(
        redact_web_tokens(&format!(
            r#"{{"a":"Bearer {token}","b":"{}"}}"#,
            &token[..25]
        )),
        format!(r#"{{"a":"Bearer {HIDDEN}","b":"{HIDDEN}"}}"#)
    );
    for text in ["eyJ", "", "eyJhbGci", "heyJude", "no token"] {
        assert!(
            matches!(redact_web_tokens(text), Cow::Borrowed(_)),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn json_stays_json(text in ".{0,30}", at in any::<prop::sample::Index>(), is_key: bool) {
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len() + 1);
        chars.splice(at..at, SECRET.chars());
        let text: String = chars.into_iter().collect();
        let value = if is_key {
            serde_json::json!({ (text): 1 })
        } else {
            serde_json::json!([text])
        };
        let clean = shown(&value.to_string());
        prop_assert!(serde_json::from_str::<serde_json::Value>(&clean).is_ok(), "{}", clean);
        prop_assert!(!clean.contains("1234567890"));
    }

    #[test]
    fn no_body_makes_it_panic(body in prop::collection::vec(
        prop_oneof![any::<u8>(), Just(b'\\'), Just(b'%'), Just(b'u'), Just(b'"')],
        0..60,
    )) {
        let _clean = without(&body, SECRET, Within::JsonStrings);
    }
}

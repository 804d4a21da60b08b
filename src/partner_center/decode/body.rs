//! Reads the body of an answer as text and as a JSON object, whatever it contains.

/// Levels of nesting in a body. Honest answers have fewer; a recursive parser could overflow the
/// stack on a hostile one.
const MAX_DEPTH: usize = 128;

/// Why a body cannot be read as a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::partner_center) enum BodyError {
    #[error("the body ends in the middle of its JSON")]
    CutOff,
    #[error("the body is not UTF-8 text")]
    NotText,
    #[error("the body is a web page, perhaps a sign-in page, and not JSON")]
    WebPage,
    #[error("the body is not JSON: fault at line {line}, column {column}")]
    NotJson { line: usize, column: usize },
    #[error("the body's JSON is nested over {MAX_DEPTH} levels deep")]
    TooDeep,
    #[error("the body's JSON is not an object")]
    NotAnObject,
}

/// The body as text, trimmed and without a byte order mark, after a check of its depth.
pub(in crate::partner_center) fn json_text(body: &[u8]) -> Result<&str, BodyError> {
    let text = text(body)?;
    check_depth(text)?;
    Ok(text)
}

/// Must be called before the text is read by a parser that does not bound the depth itself.
pub(in crate::partner_center) fn check_depth(text: &str) -> Result<(), BodyError> {
    if is_nested_too_deep(text.as_bytes()) {
        return Err(BodyError::TooDeep);
    }
    Ok(())
}

/// The body as text, trimmed and without a byte order mark.
pub(in crate::partner_center) fn text(body: &[u8]) -> Result<&str, BodyError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let text = match std::str::from_utf8(body) {
        Ok(text) => text.trim(),
        // An incomplete character at the very end means that the body was cut off.
        Err(error) if error.error_len().is_none() => return Err(BodyError::CutOff),
        Err(_) => return Err(BodyError::NotText),
    };
    if text.starts_with('<') {
        return Err(BodyError::WebPage);
    }
    Ok(text)
}

/// Parses an object. Other JSON values and invalid JSON are different errors.
pub(in crate::partner_center) fn parse_object<'a, T: serde::Deserialize<'a>>(
    text: &'a str,
) -> Result<T, BodyError> {
    serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => BodyError::CutOff,
        serde_json::error::Category::Data => BodyError::NotAnObject,
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
            BodyError::NotJson {
                line: error.line(),
                column: error.column(),
            }
        }
    })
}

fn is_nested_too_deep(json: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

//! Answer bodies as text and as JSON objects, before anything is known of what they hold.

/// No honest answer is nested deeper; a hostile one must not cost us our stack.
const MAX_DEPTH: usize = 128;

/// Why a body cannot be read as a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::partner_center) enum Unreadable {
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

/// The body as text, without a byte order mark and outer blanks, and of bounded depth.
pub(in crate::partner_center) fn json_text(body: &[u8]) -> Result<&str, Unreadable> {
    let text = text(body)?;
    check_depth(text)?;
    Ok(text)
}

/// To be called before a text is read by who does not bound the depth.
pub(in crate::partner_center) fn check_depth(text: &str) -> Result<(), Unreadable> {
    if nested_too_deep(text.as_bytes()) {
        return Err(Unreadable::TooDeep);
    }
    Ok(())
}

/// The body as text, without a byte order mark and outer blanks.
pub(in crate::partner_center) fn text(body: &[u8]) -> Result<&str, Unreadable> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let text = match std::str::from_utf8(body) {
        Ok(text) => text.trim(),
        // Half a character at the very end is what a cut leaves behind.
        Err(error) if error.error_len().is_none() => return Err(Unreadable::CutOff),
        Err(_) => return Err(Unreadable::NotText),
    };
    if text.starts_with('<') {
        return Err(Unreadable::WebPage);
    }
    Ok(text)
}

/// Reads an object; a text that is JSON but no object is told from one that is no JSON.
pub(in crate::partner_center) fn parse_object<'a, T: serde::Deserialize<'a>>(
    text: &'a str,
) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => Unreadable::CutOff,
        serde_json::error::Category::Data => Unreadable::NotAnObject,
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
            Unreadable::NotJson {
                line: error.line(),
                column: error.column(),
            }
        }
    })
}

fn nested_too_deep(json: &[u8]) -> bool {
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

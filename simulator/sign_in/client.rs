//! The one application that may sign in, and how it proves that it is itself: not at
//! all, by its secret in the form or in a header, or by a signed statement.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use url::form_urlencoded;

use crate::{
    settings::Settings,
    sign_in::assertion,
    sign_in::entra_error::{Refusal, refusal},
    sign_in::token::{Form, field},
    wire::http::Request,
};

pub(crate) const CLIENT_ID: &str = "sim-client";
const CLIENT_SECRET: &str = "sim-secret";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What every request for a token or a device code must hold.
pub(crate) fn admit(settings: &Settings, tenant: &str, request: &Request) -> Result<Form, Refusal> {
    if let Some(code) = settings.grant_error {
        return Err(refusal(code));
    }
    if tenant.is_empty() {
        return Err(refusal(90_002));
    }
    let mut form = request.form();
    if let Some((id, secret)) = request.header("authorization").and_then(basic) {
        form.entry("client_id".to_owned()).or_insert(id);
        form.entry("client_secret".to_owned()).or_insert(secret);
    }
    if field(&form, "client_id")? != CLIENT_ID {
        return Err(refusal(700_016));
    }
    Ok(form)
}

/// Name and password of RFC 6749, 2.3.1.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text: &str| -> Option<String> {
        let (decoded, _) = form_urlencoded::parse(text.as_bytes()).next()?;
        Some(decoded.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}

/// Whether the application proves that it is itself. A public client need not, but
/// what it sends must be right.
pub(crate) fn authenticate(
    settings: &Settings,
    form: &Form,
    tenant: &str,
    request: &Request,
    must: bool,
) -> Result<bool, Refusal> {
    if let Some(statement) = form.get("client_assertion") {
        if field(form, "client_assertion_type")? != ASSERTION_TYPE {
            return Err(refusal(50_027));
        }
        let base = format!("{}/{tenant}", request.origin());
        let audiences = [format!("{base}/oauth2/v2.0/token"), format!("{base}/v2.0")];
        assertion::judge(
            statement,
            settings.client_certificate.as_deref(),
            &audiences,
        )?;
        return Ok(true);
    }
    match form.get("client_secret").map(String::as_str) {
        Some(CLIENT_SECRET) => Ok(true),
        Some(_) => Err(refusal(7_000_215)),
        None if settings.require_client_secret || must => Err(refusal(7_000_218)),
        None => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_taken_from_a_header_too() {
        let header = format!("Basic {}", STANDARD.encode("sim-client:a%3Ab+c"));
        let read = basic(&header);
        assert_eq!(read, Some(("sim-client".to_owned(), "a:b c".to_owned())));
        for other in ["Bearer abc", "Basic", "Basic ***", "Basic YWJj"] {
            assert_eq!(basic(other), None, "{other}");
        }
    }
}

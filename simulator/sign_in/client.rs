//! How the application proves its identity: by its secret in the form or in a header, by a signed
//! assertion, or, as a public client, not at all.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use url::form_urlencoded;

use super::{
    assertion,
    entra_error::{EntraError, required},
    registration::{CLIENT_ID, CLIENT_SECRET},
};
use crate::{traffic::RequestContext, wire::Form};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The form of a request for a token or a device code.
///
/// # Errors
/// When the tenant or the client id is wrong, or the settings let every request fail.
pub(super) fn form_of(context: &RequestContext<'_>) -> Result<Form, EntraError> {
    if let Some(code) = context.settings.grant_error {
        return Err(EntraError::new(code));
    }
    if context.path_id.is_empty() {
        return Err(EntraError::new(90_002));
    }
    let mut form = context.request.form();
    let header = context.request.header("authorization");
    if let Some((id, secret)) = header.and_then(basic) {
        form.entry("client_id".to_owned()).or_insert(id);
        form.entry("client_secret".to_owned()).or_insert(secret);
    }
    if required(&form, "client_id")? != CLIENT_ID {
        return Err(EntraError::new(700_016));
    }
    Ok(form)
}

/// The user name and the password of `Authorization: Basic`, decoded as RFC 6749, section 2.3.1,
/// demands.
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

/// Whether the application has proved its identity.
///
/// # Errors
/// When the proof is wrong, or when it is missing although the client must be `confidential` or the
/// settings demand it.
pub(super) fn authenticate(
    context: &RequestContext<'_>,
    form: &Form,
    confidential: bool,
) -> Result<bool, EntraError> {
    let settings = context.settings;
    if let Some(statement) = form.get("client_assertion") {
        if required(form, "client_assertion_type")? != ASSERTION_TYPE {
            return Err(EntraError::new(50_027));
        }
        let base = format!("{}/{}", context.request.origin(), context.path_id);
        let audiences = [format!("{base}/oauth2/v2.0/token"), format!("{base}/v2.0")];
        let certificates = settings.client_certificate.as_deref();
        assertion::verify(statement, certificates, &audiences)?;
        return Ok(true);
    }
    match form.get("client_secret").map(String::as_str) {
        Some(CLIENT_SECRET) => Ok(true),
        Some(_) => Err(EntraError::new(7_000_215)),
        None if settings.require_client_secret || confidential => Err(EntraError::new(7_000_218)),
        None => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_may_come_in_a_header() {
        let header = format!("Basic {}", STANDARD.encode("sim-client:a%3Ab+c"));
        let read = basic(&header);
        assert_eq!(read, Some(("sim-client".to_owned(), "a:b c".to_owned())));
        for other in ["Bearer abc", "Basic", "Basic ***", "Basic YWJj"] {
            assert_eq!(basic(other), None, "{other}");
        }
    }
}

//! The page on which a person would sign in: decides at once, as the settings say,
//! and sends the browser back with an authorization code, which it redeems later.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use url::{Url, form_urlencoded};
use uuid::Uuid;

use crate::{
    settings::Settings,
    sign_in::client::CLIENT_ID,
    sign_in::entra_error::{Refusal, missing, refusal},
    sign_in::openid,
    sign_in::token::{Form, field, uncached},
    simulator::{Simulator, lock},
    wire::http::{Request, Response},
};

/// How long a code is good.
const LIFETIME: Duration = Duration::from_mins(10);

/// The codes given out and not redeemed yet.
#[derive(Debug, Default)]
pub(crate) struct Codes(HashMap<String, Code>);

#[derive(Debug)]
struct Code {
    redirect_uri: String,
    challenge: Option<String>,
    scope: String,
    nonce: Option<String>,
    until: Instant,
}

impl Codes {
    /// Takes a code in exchange for the scope it was given out for, and the nonce that
    /// came with it. `proved`: the application has proved that it is itself, and may then
    /// do without PKCE.
    pub(crate) fn redeem(
        &mut self,
        form: &Form,
        proved: bool,
    ) -> Result<(String, Option<String>), Refusal> {
        let code = field(form, "code")?;
        let code = self.0.remove(code).ok_or_else(|| refusal(54_005))?;
        if code.until <= Instant::now() {
            return Err(refusal(70_008));
        }
        if code.redirect_uri != field(form, "redirect_uri")? {
            return Err(refusal(500_112));
        }
        match &code.challenge {
            Some(challenge) => {
                let verifier = field(form, "code_verifier")?;
                let hash = digest(&SHA256, verifier.as_bytes());
                if *challenge != URL_SAFE_NO_PAD.encode(hash) {
                    return Err(refusal(501_481));
                }
            }
            None if proved => {}
            None => return Err(refusal(7_000_218)),
        }
        Ok((code.scope, code.nonce))
    }
}

/// How the browser is sent back.
#[derive(Clone, Copy)]
enum Mode {
    Query,
    Fragment,
    /// A page with a form that posts itself.
    FormPost,
}

/// Answers `/{tenant}/oauth2/v2.0/authorize`.
pub(crate) fn authorize(
    simulator: &Simulator,
    settings: &Settings,
    tenant: &str,
    request: &Request,
) -> Response {
    let asked: Form = if request.method == "POST" {
        request.form()
    } else {
        form_urlencoded::parse(request.query.as_bytes())
            .into_owned()
            .collect()
    };
    let value = |name: &str| asked.get(name).map_or("", String::as_str);
    // A browser must not be sent anywhere on the word of a stranger.
    if value("client_id") != CLIENT_ID || tenant.is_empty() {
        return refusal(700_016).response();
    }
    let redirect_uri = value("redirect_uri");
    if !is_registered(redirect_uri) {
        return refusal(50_011).response();
    }
    let mode = match value("response_mode") {
        "" | "query" => Mode::Query,
        "fragment" => Mode::Fragment,
        "form_post" => Mode::FormPost,
        _ => return refusal(70_007).response(),
    };
    let mut fields = match decide(simulator, settings, &asked) {
        Ok(fields) => fields,
        Err((error, description)) => {
            vec![("error", error), ("error_description", description)]
        }
    };
    if let Some(state) = asked.get("state") {
        fields.push(("state", state.clone()));
    }
    uncached(send_back(redirect_uri, mode, &fields))
}

type Fields = Vec<(&'static str, String)>;

/// A code, or the error and its description.
fn decide(
    simulator: &Simulator,
    settings: &Settings,
    asked: &Form,
) -> Result<Fields, (String, String)> {
    if let Some(error) = &settings.authorize_error {
        let description = "AADSTS65004: User declined to consent.".to_owned();
        return Err((error.clone(), description));
    }
    let in_words = |refusal: Refusal| {
        let (error, description) = refusal.for_a_browser();
        (error.to_owned(), description)
    };
    let value = |name: &str| asked.get(name).filter(|value| !value.is_empty());
    if value("response_type").is_none_or(|kind| kind != "code") {
        return Err(in_words(refusal(70_005)));
    }
    let scope = value("scope").ok_or_else(|| in_words(missing("scope")))?;
    let challenge = value("code_challenge");
    let method = value("code_challenge_method").map(String::as_str);
    let is_whole = match (challenge, method) {
        (None, None) => true,
        (Some(challenge), Some("S256")) => challenge.len() == 43,
        _ => false,
    };
    if !is_whole {
        return Err(in_words(missing("code_challenge")));
    }
    let code = format!("sim-code-{}", Uuid::new_v4().simple());
    let given = Code {
        redirect_uri: asked.get("redirect_uri").cloned().unwrap_or_default(),
        challenge: challenge.cloned(),
        scope: scope.clone(),
        nonce: value("nonce").cloned(),
        until: Instant::now() + LIFETIME,
    };
    lock(&simulator.authority)
        .codes
        .0
        .insert(code.clone(), given);
    let mut fields = vec![("code", code)];
    if value("client_info").is_some_and(|wanted| wanted == "1") {
        fields.push(("client_info", openid::client_info()));
    }
    fields.push(("session_state", Uuid::new_v4().to_string()));
    Ok(fields)
}

fn send_back(redirect_uri: &str, mode: Mode, fields: &Fields) -> Response {
    let encoded = || {
        let mut encoded = form_urlencoded::Serializer::new(String::new());
        encoded.extend_pairs(fields).finish()
    };
    match mode {
        Mode::Query => Response::new(302, "", "").with(
            "Location",
            format!("{}/?{}", redirect_uri.trim_end_matches('/'), encoded()),
        ),
        Mode::Fragment => Response::new(302, "", "").with(
            "Location",
            format!("{}/#{}", redirect_uri.trim_end_matches('/'), encoded()),
        ),
        Mode::FormPost => {
            let inputs = fields.iter().fold(String::new(), |inputs, (name, value)| {
                let value = in_html(value);
                inputs + &format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">")
            });
            let page = format!(
                "<!DOCTYPE html><html><head><title>Working...</title></head>\
                 <body onload=\"document.forms[0].submit()\">\
                 <form method=\"POST\" action=\"{}\">{inputs}\
                 <noscript><input type=\"submit\" value=\"Continue\"></noscript>\
                 </form></body></html>",
                in_html(redirect_uri)
            );
            Response::new(200, "text/html; charset=utf-8", page)
        }
    }
}

fn in_html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// The app is registered with `http://localhost`, whose port does not count. All else
/// does, as with a provider that compares letter by letter.
fn is_registered(uri: &str) -> bool {
    match uri.strip_prefix("http://localhost") {
        Some("") => true,
        Some(port) => {
            port.strip_prefix(':')
                .is_some_and(|port| port.parse::<u16>().is_ok())
                && Url::parse(uri).is_ok()
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_registered_address_is_sent_back_to() {
        for (uri, registered) in [
            ("http://localhost", true),
            ("http://localhost:8123", true),
            ("http://localhost:8123/", false),
            ("http://localhost/", false),
            ("http://localhost.example", false),
            ("http://localhost:99999", false),
            ("https://localhost:8123", false),
            ("http://127.0.0.1:8123", false),
        ] {
            assert_eq!(is_registered(uri), registered, "{uri}");
        }
    }
}

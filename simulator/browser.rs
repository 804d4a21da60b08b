//! The page on which a person would sign in: decides at once, as the settings say,
//! and sends the browser back with an authorization code, which it redeems later.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use url::Url;
use uuid::Uuid;

use crate::{
    authority::{CLIENT_ID, Form, field},
    entra::{Refusal, refusal},
    http::{Request, Response},
    settings::Settings,
    state::{Simulator, lock},
};

/// How long a code is good.
const LIFETIME: Duration = Duration::from_mins(10);

/// The codes given out and not redeemed yet.
#[derive(Debug, Default)]
pub(crate) struct Codes(HashMap<String, Code>);

#[derive(Debug)]
struct Code {
    redirect_uri: String,
    challenge: String,
    scope: String,
    until: Instant,
}

impl Codes {
    /// Takes a code in exchange for the scope it was given out for.
    pub(crate) fn redeem(&mut self, form: &Form) -> Result<String, Refusal> {
        let code = field(form, "code")?;
        let verifier = field(form, "code_verifier")?;
        let code = self.0.remove(code).ok_or_else(|| refusal(54_005))?;
        if code.until <= Instant::now() {
            return Err(refusal(70_008));
        }
        if code.redirect_uri != field(form, "redirect_uri")? {
            return Err(refusal(500_112));
        }
        if code.challenge != URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())) {
            return Err(refusal(501_481));
        }
        Ok(code.scope)
    }
}

/// Answers `GET /{tenant}/oauth2/v2.0/authorize`.
pub(crate) fn authorize(simulator: &Simulator, settings: &Settings, request: &Request) -> Response {
    let value = |name: &str| request.query_value(name).unwrap_or_default();
    let redirect_uri = value("redirect_uri");
    let Some(mut back) = Url::parse(&redirect_uri).ok().filter(is_registered) else {
        return refusal(50_011).response();
    };
    if value("client_id") != CLIENT_ID {
        return refusal(700_016).response();
    }
    let challenge = value("code_challenge");
    let complete = value("response_type") == "code"
        && value("code_challenge_method") == "S256"
        && challenge.len() == 43
        && !value("scope").is_empty();
    if let Some(error) = &settings.authorize_error {
        back.query_pairs_mut()
            .append_pair("error", error)
            .append_pair(
                "error_description",
                "AADSTS65004: User declined to consent.",
            );
    } else if !complete {
        back.query_pairs_mut()
            .append_pair("error", "invalid_request")
            .append_pair("error_description", "AADSTS90014: A field is missing.");
    } else {
        let code = format!("sim-code-{}", Uuid::new_v4().simple());
        back.query_pairs_mut().append_pair("code", &code);
        let given = Code {
            redirect_uri,
            challenge,
            scope: value("scope"),
            until: Instant::now() + LIFETIME,
        };
        lock(&simulator.authority).codes.0.insert(code, given);
    }
    back.query_pairs_mut().append_pair("state", &value("state"));
    Response::new(302, "", "").with("Location", back.as_str())
}

/// The app is registered with `http://localhost`, whose port does not count.
fn is_registered(uri: &Url) -> bool {
    uri.scheme() == "http" && uri.host_str() == Some("localhost") && uri.path() == "/"
}

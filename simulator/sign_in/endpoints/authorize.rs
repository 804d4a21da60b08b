//! `/{tenant}/oauth2/v2.0/authorize`: the page that a person would sign in on. Decides at once, as
//! the settings say, and redirects the browser with an authorization code.

use std::sync::Mutex;

use url::form_urlencoded;
use uuid::Uuid;

use crate::{
    lock::lock,
    settings::SimulatorSettings,
    sign_in::{
        authorization_codes::Authorization,
        entra_error::EntraError,
        issued::Issued,
        openid,
        registration::{CLIENT_ID, is_redirect_uri},
    },
    traffic::RequestContext,
    wire::{Form, HttpResponse},
};

/// The fields that the browser takes back to the client.
type Fields = Vec<(&'static str, String)>;

/// How the browser takes them back.
#[derive(Clone, Copy)]
enum ResponseMode {
    Query,
    Fragment,
    /// A page with a form that submits itself.
    FormPost,
}

pub(super) fn respond(issued: &Mutex<Issued>, context: &RequestContext<'_>) -> HttpResponse {
    let request = context.request;
    let parameters: Form = if request.method == "POST" {
        request.form()
    } else {
        form_urlencoded::parse(request.query.as_bytes())
            .into_owned()
            .collect()
    };
    let value = |name: &str| parameters.get(name).map_or("", String::as_str);
    // The browser is redirected to registered addresses only, also with an error.
    if value("client_id") != CLIENT_ID || context.path_id.is_empty() {
        return EntraError::new(700_016).response();
    }
    let redirect_uri = value("redirect_uri");
    if !is_redirect_uri(redirect_uri) {
        return EntraError::new(50_011).response();
    }
    let mode = match value("response_mode") {
        "" | "query" => ResponseMode::Query,
        "fragment" => ResponseMode::Fragment,
        "form_post" => ResponseMode::FormPost,
        _ => return EntraError::new(70_007).response(),
    };
    let mut fields =
        decide(issued, context.settings, &parameters).unwrap_or_else(|(error, description)| {
            vec![("error", error), ("error_description", description)]
        });
    if let Some(state) = parameters.get("state") {
        fields.push(("state", state.clone()));
    }
    redirect(redirect_uri, mode, &fields).uncached()
}

/// The fields with a code, or the error and its description.
fn decide(
    issued: &Mutex<Issued>,
    settings: &SimulatorSettings,
    parameters: &Form,
) -> Result<Fields, (String, String)> {
    if let Some(error) = &settings.authorize_error {
        let description = "AADSTS65004: User declined to consent.".to_owned();
        return Err((error.clone(), description));
    }
    let authorization = authorization(parameters).map_err(|error| error.in_redirect())?;
    let code = lock(issued).authorization_codes.issue(authorization);
    let mut fields = vec![("code", code)];
    if parameters.get("client_info").is_some_and(|it| it == "1") {
        fields.push(("client_info", openid::client_info()));
    }
    fields.push(("session_state", Uuid::new_v4().to_string()));
    Ok(fields)
}

/// What the request asks to authorize.
fn authorization(parameters: &Form) -> Result<Authorization, EntraError> {
    let value = |name: &str| parameters.get(name).filter(|value| !value.is_empty());
    if value("response_type").is_none_or(|kind| kind != "code") {
        return Err(EntraError::new(70_005));
    }
    let scope = value("scope").ok_or_else(|| EntraError::missing("scope"))?;
    let challenge = value("code_challenge");
    let method = value("code_challenge_method").map(String::as_str);
    let is_valid = match (challenge, method) {
        (None, None) => true,
        (Some(challenge), Some("S256")) => challenge.len() == 43,
        _ => false,
    };
    if !is_valid {
        return Err(EntraError::missing("code_challenge"));
    }
    Ok(Authorization {
        redirect_uri: parameters.get("redirect_uri").cloned().unwrap_or_default(),
        challenge: challenge.cloned(),
        scope: scope.clone(),
        nonce: value("nonce").cloned(),
    })
}

fn redirect(redirect_uri: &str, mode: ResponseMode, fields: &Fields) -> HttpResponse {
    let separator = match mode {
        ResponseMode::Query => '?',
        ResponseMode::Fragment => '#',
        ResponseMode::FormPost => return self_submitting_page(redirect_uri, fields),
    };
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    let encoded = encoded.extend_pairs(fields).finish();
    let location = format!("{redirect_uri}/{separator}{encoded}");
    HttpResponse::new(302, "", "").with("Location", location)
}

fn self_submitting_page(redirect_uri: &str, fields: &Fields) -> HttpResponse {
    let inputs = fields.iter().fold(String::new(), |inputs, (name, value)| {
        let value = html_escaped(value);
        inputs + &format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">")
    });
    let page = format!(
        "<!DOCTYPE html><html><head><title>Working...</title></head>\
         <body onload=\"document.forms[0].submit()\">\
         <form method=\"POST\" action=\"{}\">{inputs}\
         <noscript><input type=\"submit\" value=\"Continue\"></noscript>\
         </form></body></html>",
        html_escaped(redirect_uri)
    );
    HttpResponse::new(200, "text/html; charset=utf-8", page)
}

fn html_escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

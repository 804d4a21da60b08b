//! `POST /{tenant}/oauth2/v2.0/token`: exchanges each of the four grants for tokens.

use std::sync::Mutex;

use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::{
    lock::lock,
    sign_in::{
        client,
        entra_error::{EntraError, required},
        issued::{Issued, audience},
        openid,
    },
    traffic::RequestContext,
    wire::{Form, HttpResponse},
};

const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(super) fn respond(issued: &Mutex<Issued>, context: &RequestContext<'_>) -> HttpResponse {
    match tokens(issued, context) {
        Ok(body) => HttpResponse::json(200, &body).uncached(),
        Err(error) => error.response(),
    }
}

fn tokens(issued: &Mutex<Issued>, context: &RequestContext<'_>) -> Result<Value, EntraError> {
    let settings = context.settings;
    let form = client::form_of(context)?;
    let grant_type = required(&form, "grant_type")?;
    let app_only = grant_type == "client_credentials";
    let authenticated = client::authenticate(context, &form, app_only)?;
    let mut issued = lock(issued);
    let mut nonce = None;
    let scope = match grant_type {
        "refresh_token" => {
            issued.redeem_refresh_token(settings, &form)?;
            form.get("scope").cloned().unwrap_or_default()
        }
        DEVICE_CODE_GRANT => issued.device_codes.redeem(settings, &form)?,
        "authorization_code" => {
            let authorization = issued.authorization_codes.redeem(&form, authenticated)?;
            nonce = authorization.nonce;
            authorization.scope
        }
        "client_credentials" => required(&form, "scope")?.to_owned(),
        _ => return Err(EntraError::new(70_003)),
    };
    let audience = audience(&scope);
    let mut body = json!({
        "token_type": "Bearer",
        "expires_in": settings.access_token_ttl_secs,
        "ext_expires_in": settings.access_token_ttl_secs,
    });
    if app_only {
        body["access_token"] = issued.issue_app_token(settings, &audience).into();
        return Ok(body);
    }
    body["access_token"] = issued.issue_user_token(settings, &audience).into();
    body["scope"] = format!("{audience}/user_impersonation").into();
    body["refresh_token"] = issued.issue_refresh_token().into();
    if let Some(ttl) = settings.refresh_token_ttl_secs {
        body["refresh_token_expires_in"] = ttl.into();
    }
    // The first ID token waits until a key has been generated; other requests must not.
    drop(issued);
    if wants_id_token(&scope, &form) {
        let origin = context.request.origin();
        let id_token = || openid::id_token(&origin, context.path_id, nonce.as_deref());
        body["id_token"] = block_in_place(id_token).into();
    }
    if form.get("client_info").is_some_and(|value| value == "1") {
        body["client_info"] = openid::client_info().into();
    }
    Ok(body)
}

/// Whether the scope of the grant or of this request contains `openid`.
fn wants_id_token(scope: &str, form: &Form) -> bool {
    let requested = form.get("scope").map_or("", String::as_str).split(' ');
    scope.split(' ').chain(requested).any(|it| it == "openid")
}

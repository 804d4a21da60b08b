//! `POST /{tenant}/oauth2/v2.0/devicecode`: begins a sign-in by device code.

use std::sync::Mutex;

use serde_json::json;

use crate::{
    lock::lock,
    sign_in::{
        client,
        entra_error::{EntraError, required},
        issued::Issued,
    },
    traffic::RequestContext,
    wire::HttpResponse,
};

pub(super) fn respond(issued: &Mutex<Issued>, context: &RequestContext<'_>) -> HttpResponse {
    begin(issued, context).unwrap_or_else(|error| error.response())
}

fn begin(issued: &Mutex<Issued>, context: &RequestContext<'_>) -> Result<HttpResponse, EntraError> {
    let form = client::form_of(context)?;
    client::authenticate(context, &form, false)?;
    let scope = required(&form, "scope")?;
    let (device_code, user_code) = lock(issued).device_codes.issue(context.settings, scope);
    let verification_uri = format!("{}/_sim/device", context.request.origin());
    let message = format!(
        "To sign in, use a web browser to open the page {verification_uri} and enter the code \
         {user_code} to authenticate."
    );
    let body = json!({
        "user_code": user_code,
        "device_code": device_code,
        "verification_uri": verification_uri,
        "expires_in": context.settings.device_code_expires_secs,
        "interval": 1,
        "message": message,
    });
    Ok(HttpResponse::json(200, &body).uncached())
}

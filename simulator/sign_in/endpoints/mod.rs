//! The endpoints of the sign-in: one file for each, except for the two documents of the `OpenID`
//! provider.

mod authorize;
mod device_code;
mod token;

use std::sync::Mutex;

use tokio::task::block_in_place;

use super::{entra_error::EntraError, issued::Issued, openid};
use crate::{
    traffic::{Endpoint, RequestContext},
    wire::HttpResponse,
};

/// Answers a request to the sign-in.
pub(crate) fn respond(issued: &Mutex<Issued>, context: &RequestContext<'_>) -> HttpResponse {
    if let Some(methods) = context.allowed_instead() {
        let response = EntraError::new(900_561).response();
        return response.with("Allow", methods);
    }
    match context.endpoint {
        Endpoint::Token => token::respond(issued, context),
        Endpoint::DeviceCode => device_code::respond(issued, context),
        Endpoint::Authorize => authorize::respond(issued, context),
        _ => provider_document(context),
    }
}

fn provider_document(context: &RequestContext<'_>) -> HttpResponse {
    let request = context.request;
    let body = if request.path.ends_with("/keys") {
        // The first request for the keys waits until one has been generated.
        block_in_place(openid::keys)
    } else {
        openid::metadata(&request.origin(), context.path_id)
    };
    HttpResponse::json(200, &body)
}

//! The gateway of Partner Center: has each call judged, sends it to the room that
//! answers it, adds the headers that every answer carries, and words faults as the
//! real one does.

pub(crate) mod access;
pub(crate) mod customer_list;
pub(crate) mod partner;
pub(crate) mod partner_wide;
pub(crate) mod per_customer;
pub(crate) mod rate_limit;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use uuid::Uuid;

use crate::{
    api::access as admission,
    api::customer_list as listing,
    api::partner_wide as commercial,
    api::per_customer as insights,
    settings::Settings,
    simulator::{Kind, Simulator},
    wire::http::{Request, Response},
};

/// The answer to an API call, with the headers every one of them carries.
pub(crate) fn respond(
    simulator: &Simulator,
    settings: &Settings,
    kind: Kind,
    about: &str,
    request: &Request,
) -> Response {
    let admission = admission::judge(simulator, settings, kind, about, request);
    let mut response = match admission.refusal {
        Some(refusal) => refusal,
        None => answer(simulator, settings, kind, about, request).unwrap_or_else(|fault| fault),
    };
    let probes = request
        .header("validatemfa")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if let Some(compliant) = admission.mfa_compliant.filter(|_| probes) {
        response.set("isMfaCompliant", compliant.to_string());
    }
    if settings.bom {
        response.body.splice(0..0, *b"\xEF\xBB\xBF");
    }
    envelope(response, request)
}

fn answer(
    simulator: &Simulator,
    settings: &Settings,
    kind: Kind,
    about: &str,
    request: &Request,
) -> Result<Response, Response> {
    match (kind, kind.subject()) {
        (Kind::Customers, _) => listing::customers(simulator, settings, request),
        (Kind::Usage | Kind::Deployment, Some(subject)) => {
            insights::collection(simulator, settings, subject, about, request)
        }
        (Kind::CommercialUsage | Kind::CommercialDeployment, Some(subject)) => {
            commercial::page(simulator, settings, subject, request)
        }
        _ => Err(fault(404, "1000", "The requested resource was not found.")),
    }
}

/// Echoes the caller's ids, and adds the server's own.
pub(crate) fn envelope(response: Response, request: &Request) -> Response {
    let echo = |name: &str| {
        let given = request.header(name).map(ToOwned::to_owned);
        given.unwrap_or_else(|| Uuid::new_v4().to_string())
    };
    let vector = rand::random::<u64>().to_be_bytes();
    response
        .with("MS-RequestId", echo("ms-requestid"))
        .with("MS-CorrelationId", echo("ms-correlationid"))
        .with("MS-CV", format!("{}.0", STANDARD.encode(vector)))
        .with("MS-ServerId", "030020525")
}

/// A fault as Partner Center words it.
pub(crate) fn fault(status: u16, code: &str, description: &str) -> Response {
    let body = json!({
        "code": code,
        "description": description,
        "data": [],
        "source": "PartnerFD",
    });
    Response::json(status, &body)
}

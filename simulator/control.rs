//! The calls under `/_sim/` by which tests and demos steer the simulator. They
//! need no token, are never delayed or throttled, and are not on the record.

use std::time::Instant;

use serde_json::json;

use crate::{
    simulator::{Simulator, lock},
    traffic::scripts::Script,
    wire::http::{Request, Response},
};

/// Answers a control call.
pub(crate) fn respond(simulator: &Simulator, request: &Request) -> Response {
    let call = request
        .path
        .trim_start_matches("/_sim/")
        .trim_end_matches('/');
    let method = if request.is_head() {
        "GET"
    } else {
        &request.method
    };
    match (method, call) {
        ("GET", "today") => text(200, simulator.today().to_string()),
        ("PUT", "today") => set_today(simulator, request),
        ("GET", "settings") => Response::json(200, &*simulator.settings()),
        ("PATCH", "settings") => change_settings(simulator, request),
        ("POST", "revoke-access-tokens") => {
            lock(&simulator.authority).revoke_access_tokens();
            done()
        }
        ("POST", "revoke-refresh-tokens") => {
            lock(&simulator.authority).revoke_refresh_tokens();
            done()
        }
        ("POST", "access-token") => {
            let settings = simulator.settings();
            text(
                200,
                lock(&simulator.authority).issue(&settings, &request.origin(), false),
            )
        }
        ("POST", "device/approve") => decide(simulator, request, true),
        ("POST", "device/deny") => decide(simulator, request, false),
        ("GET", "customers") => {
            let world = &simulator.world;
            let ids: Vec<uuid::Uuid> = (0..world.customers()).map(|it| world.id(it)).collect();
            Response::json(200, &ids)
        }
        ("GET", "requests") => {
            let after = request
                .query_value("after")
                .and_then(|text| text.parse().ok());
            let kind = request.query_value("kind");
            let body = simulator
                .record
                .to_json(after.unwrap_or(0), kind.as_deref());
            Response::new(200, crate::wire::http::JSON, body)
        }
        ("DELETE", "requests") => {
            simulator.record.clear();
            done()
        }
        ("GET", "stats") => Response::json(200, &simulator.stats.to_json()),
        ("DELETE", "stats") => {
            simulator.stats.clear();
            done()
        }
        ("POST", "script") => add_script(simulator, request),
        ("DELETE", "script") => {
            simulator.scripts.clear();
            done()
        }
        ("POST", call) if call.starts_with("customers/") => set_gone(simulator, call),
        ("GET", "device") => text(
            200,
            "In the real world a person signs in here. Approve with POST /_sim/device/approve.",
        ),
        _ => match methods(call) {
            Some(allowed) => {
                text(405, format!("this call takes {allowed} only")).with("Allow", allowed)
            }
            None => text(
                404,
                "there is no such control call; see simulator/README.md",
            ),
        },
    }
}

/// The methods that a call takes, as the header `Allow` names them; none where there is no such call.
fn methods(call: &str) -> Option<&'static str> {
    match call {
        "today" => Some("GET, HEAD, PUT"),
        "settings" => Some("GET, HEAD, PATCH"),
        "customers" | "device" => Some("GET, HEAD"),
        "requests" | "stats" => Some("GET, HEAD, DELETE"),
        "script" => Some("POST, DELETE"),
        "revoke-access-tokens"
        | "revoke-refresh-tokens"
        | "access-token"
        | "device/approve"
        | "device/deny" => Some("POST"),
        call if call.starts_with("customers/") => Some("POST"),
        _ => None,
    }
}

// An empty body goes back to the real day.
fn set_today(simulator: &Simulator, request: &Request) -> Response {
    let given = String::from_utf8_lossy(&request.body);
    let today = match given.trim() {
        "" => Ok(None),
        date => date.parse().map(Some),
    };
    match today {
        Ok(today) => {
            simulator.set_today(today);
            done()
        }
        Err(error) => text(400, format!("the body is no date like 2026-05-04: {error}")),
    }
}

fn change_settings(simulator: &Simulator, request: &Request) -> Response {
    match simulator.settings().merged(&request.body) {
        Ok(settings) => {
            let patch: serde_json::Value =
                serde_json::from_slice(&request.body).unwrap_or_default();
            if patch.get("rate_schedule").is_some() {
                lock(&simulator.throttle).begin_schedule(Instant::now());
            }
            let response = Response::json(200, &settings);
            simulator.set_settings(settings);
            response
        }
        Err(error) => text(400, error.to_string()),
    }
}

/// `customers/{id}/gone` and `customers/{id}/back`.
fn set_gone(simulator: &Simulator, call: &str) -> Response {
    let (id, is_gone) = match call.split('/').collect::<Vec<_>>()[..] {
        ["customers", id, "gone"] => (id, true),
        ["customers", id, "back"] => (id, false),
        _ => {
            return text(
                404,
                "a customer can be sent away by gone and called back by back",
            );
        }
    };
    let id = id.parse().ok();
    match id.and_then(|id| simulator.world.find(id)) {
        Some(number) => {
            simulator.presence.set_gone(number, is_gone);
            done()
        }
        None => text(404, "there is no such customer"),
    }
}

fn add_script(simulator: &Simulator, request: &Request) -> Response {
    let script: Result<Script, _> = serde_json::from_slice(&request.body);
    let added = script
        .map_err(|error| error.to_string())
        .and_then(|script| simulator.scripts.add(script));
    added.map_or_else(|fault| text(400, fault), |()| done())
}

fn decide(simulator: &Simulator, request: &Request, approved: bool) -> Response {
    let user_code = String::from_utf8_lossy(&request.body);
    let decided = lock(&simulator.authority)
        .device_codes
        .decide(user_code.trim(), approved);
    Response::json(200, &json!({ "decided": decided }))
}

fn done() -> Response {
    Response::new(204, "", "")
}

fn text(status: u16, text: impl Into<Vec<u8>>) -> Response {
    Response::new(status, "text/plain; charset=utf-8", text)
}

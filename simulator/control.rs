//! The calls under `/_sim/` by which tests and demos steer the simulator. They need no token, are
//! never delayed or throttled, and are neither logged nor counted.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    lock::lock,
    simulator::Simulator,
    traffic::Script,
    wire::{HttpRequest, HttpResponse, JSON},
};

type Handler = fn(&Simulator, &HttpRequest) -> HttpResponse;

/// Every control call: its path below `/_sim/`, its method and its handler.
const CALLS: [(&str, &str, Handler); 18] = [
    ("today", "GET", |simulator, _| {
        text(200, simulator.today().to_string())
    }),
    ("today", "PUT", set_today),
    ("settings", "GET", |simulator, _| {
        HttpResponse::json(200, &*simulator.settings())
    }),
    ("settings", "PATCH", change_settings),
    ("revoke-access-tokens", "POST", |simulator, _| {
        lock(&simulator.issued).revoke_access_tokens();
        done()
    }),
    ("revoke-refresh-tokens", "POST", |simulator, _| {
        lock(&simulator.issued).revoke_refresh_tokens();
        done()
    }),
    ("access-token", "POST", |simulator, request| {
        let settings = simulator.settings();
        let token = lock(&simulator.issued).issue_user_token(&settings, &request.origin());
        text(200, token)
    }),
    ("device", "GET", |_, _| {
        let words = "At Microsoft, a person would sign in here. \
                     Approve with POST /_sim/device/approve.";
        text(200, words)
    }),
    ("device/approve", "POST", |simulator, request| {
        decide(simulator, request, true)
    }),
    ("device/deny", "POST", |simulator, request| {
        decide(simulator, request, false)
    }),
    ("customers", "GET", |simulator, _| {
        let world = &simulator.api.partner.world;
        let ids: Vec<Uuid> = (0..world.customers()).map(|it| world.id(it)).collect();
        HttpResponse::json(200, &ids)
    }),
    (CUSTOMER, "POST", set_gone),
    ("requests", "GET", requests),
    ("requests", "DELETE", |simulator, _| {
        simulator.log.clear();
        done()
    }),
    ("stats", "GET", |simulator, _| {
        HttpResponse::json(200, &simulator.stats.to_json())
    }),
    ("stats", "DELETE", |simulator, _| {
        simulator.stats.clear();
        done()
    }),
    ("script", "POST", add_script),
    ("script", "DELETE", |simulator, _| {
        simulator.scripts.clear();
        done()
    }),
];

/// The path of the calls about one customer, which go on with its GUID.
const CUSTOMER: &str = "customers/";

/// Answers a control call.
pub(crate) fn respond(simulator: &Simulator, request: &HttpRequest) -> HttpResponse {
    let path = path(request);
    let is_called = |own: &str| own == path || (own == CUSTOMER && path.starts_with(CUSTOMER));
    let calls = || CALLS.iter().filter(|(own, ..)| is_called(own));
    let method = if request.is_head() {
        "GET"
    } else {
        &request.method
    };
    if let Some((_, _, handler)) = calls().find(|(_, own, _)| *own == method) {
        return handler(simulator, request);
    }
    let methods: Vec<&str> = calls()
        .map(|(_, method, _)| {
            if *method == "GET" {
                "GET, HEAD"
            } else {
                method
            }
        })
        .collect();
    if methods.is_empty() {
        return text(
            404,
            "there is no such control call; see simulator/README.md",
        );
    }
    let allowed = methods.join(", ");
    let words = format!("this call supports {allowed} only");
    text(405, words).with("Allow", allowed)
}

/// The path below `/_sim/`.
fn path(request: &HttpRequest) -> &str {
    let path = request.path.trim_start_matches("/_sim/");
    path.trim_end_matches('/')
}

/// Sets the simulated day; an empty body returns to the real one.
fn set_today(simulator: &Simulator, request: &HttpRequest) -> HttpResponse {
    let body = String::from_utf8_lossy(&request.body);
    let today = match body.trim() {
        "" => Ok(None),
        date => date.parse().map(Some),
    };
    match today {
        Ok(today) => {
            simulator.set_today(today);
            done()
        }
        Err(error) => text(
            400,
            format!("the body is not a date such as 2026-05-04: {error}"),
        ),
    }
}

fn change_settings(simulator: &Simulator, request: &HttpRequest) -> HttpResponse {
    match simulator.settings().merged(&request.body) {
        Ok(settings) => {
            let patch: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            if patch.get("rate_schedule").is_some() {
                simulator.api.access.restart_rate_schedule();
            }
            let response = HttpResponse::json(200, &settings);
            simulator.set_settings(settings);
            response
        }
        Err(error) => text(400, error.to_string()),
    }
}

/// `customers/{id}/gone` and `customers/{id}/back`.
fn set_gone(simulator: &Simulator, request: &HttpRequest) -> HttpResponse {
    let (id, is_gone) = match path(request).split('/').collect::<Vec<_>>()[..] {
        [_, id, "gone"] => (id, true),
        [_, id, "back"] => (id, false),
        _ => return text(404, "the path must end with /gone or /back"),
    };
    let partner = &simulator.api.partner;
    let id = Uuid::try_parse(id).ok();
    match id.and_then(|id| partner.world.find(id)) {
        Some(number) => {
            partner.set_gone(number, is_gone);
            done()
        }
        None => text(404, "there is no such customer"),
    }
}

fn requests(simulator: &Simulator, request: &HttpRequest) -> HttpResponse {
    let after = request.query_value("after");
    let after = after.and_then(|text| text.parse().ok()).unwrap_or(0);
    let endpoint = request.query_value("kind");
    let body = simulator.log.to_json(after, endpoint.as_deref());
    HttpResponse::new(200, JSON, body)
}

fn add_script(simulator: &Simulator, request: &HttpRequest) -> HttpResponse {
    let script: Result<Script, _> = serde_json::from_slice(&request.body);
    let added = script
        .map_err(|error| error.to_string())
        .and_then(|script| simulator.scripts.add(script));
    added.map_or_else(|problem| text(400, problem), |()| done())
}

/// Approves or denies the device sign-in with the user code in the body, or all if it is empty.
fn decide(simulator: &Simulator, request: &HttpRequest, approved: bool) -> HttpResponse {
    let user_code = String::from_utf8_lossy(&request.body);
    let codes = &mut lock(&simulator.issued).device_codes;
    let decided = codes.decide(user_code.trim(), approved);
    HttpResponse::json(200, &json!({ "decided": decided }))
}

fn done() -> HttpResponse {
    HttpResponse::new(204, "", "")
}

fn text(status: u16, text: impl Into<Vec<u8>>) -> HttpResponse {
    HttpResponse::new(status, "text/plain; charset=utf-8", text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{settings::SimulatorSettings, world::World};

    fn respond_to(method: &str, path: &str) -> HttpResponse {
        let simulator = Simulator::new(World::new(1, 3), SimulatorSettings::default(), None, 0);
        let head = format!("{method} /_sim/{path} HTTP/1.1\r\n\r\n");
        respond(
            &simulator,
            &HttpRequest::parse_head(head.as_bytes()).unwrap(),
        )
    }

    #[test]
    fn a_call_names_the_methods_that_it_supports() {
        for (path, allowed) in [
            ("today", "GET, HEAD, PUT"),
            ("requests/", "GET, HEAD, DELETE"),
            ("script", "POST, DELETE"),
            ("customers/some/where", "POST"),
        ] {
            let response = respond_to("TRACE", path);
            assert_eq!(response.status, 405);
            let allow = ("Allow".into(), allowed.to_owned());
            assert!(response.headers.contains(&allow), "{path}");
        }
        assert_eq!(respond_to("HEAD", "customers").status, 200);
        assert_eq!(respond_to("POST", "customers/some/where").status, 404);
        assert_eq!(respond_to("GET", "nowhere").status, 404);
    }
}

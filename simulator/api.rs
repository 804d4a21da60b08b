//! Partner Center's own answers: the customer list with its continuation, and a
//! customer's licence usage. Judges the bearer token and the tenant's rate first,
//! as the real gateway does, and words its faults as the real one does.

use std::time::Instant;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    authority::Bearer,
    http::{JSON, Request, Response},
    state::{Kind, NextLink, Settings, Simulator, lock},
};

/// The answer to an API call, with the headers every one of them carries.
pub(crate) fn respond(
    simulator: &Simulator,
    settings: &Settings,
    kind: Kind,
    about: &str,
    request: &Request,
) -> Response {
    let mut response = admit(simulator, settings, kind, request)
        .and_then(|()| match kind {
            _ if request.method != "GET" => Err(fault(405, "1000", "Method not allowed.")),
            Kind::Customers => customers(simulator, settings, request),
            Kind::Usage => usage(simulator, about),
            _ => Err(fault(404, "1000", "The requested resource was not found.")),
        })
        .unwrap_or_else(|fault| fault);
    if settings.bom {
        response.body.splice(0..0, *b"\xEF\xBB\xBF");
    }
    envelope(response, request)
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
fn fault(status: u16, code: &str, description: &str) -> Response {
    let body = json!({
        "code": code,
        "description": description,
        "data": [],
        "source": "PartnerFD",
    });
    Response::json(status, &body)
}

fn admit(
    simulator: &Simulator,
    settings: &Settings,
    kind: Kind,
    request: &Request,
) -> Result<(), Response> {
    let now = Instant::now();
    let refused = |code, text| {
        let response = fault(401, code, text);
        Err(response.with("WWW-Authenticate", "Bearer realm=\"\""))
    };
    let token = request
        .header("authorization")
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = token else {
        return refused("800001", "The security token is missing from the request.");
    };
    match lock(&simulator.authority).bearer(token.trim(), now) {
        Bearer::Unknown => return refused("400", "Access denied. The token is not valid."),
        Bearer::Expired => return refused("400", "Access denied. The token has expired."),
        Bearer::AppOnly if kind == Kind::Usage => {
            let text = "This operation does not support app-only authentication tokens.";
            return Err(fault(403, "900329", text));
        }
        Bearer::AppOnly => {}
        Bearer::User if settings.mfa => {}
        Bearer::User => {
            let text = "MFA is required, and the token carries no claim of it.";
            return refused("900421", text);
        }
    }
    let Some(rate) = settings.rate_limit else {
        return Ok(());
    };
    lock(&simulator.bucket).take(rate, now).map_err(|wait| {
        let message = format!("Rate limit is exceeded. Try again in {wait} seconds.");
        let body = json!({ "statusCode": 429, "message": message });
        Response::json(429, &body).with("Retry-After", wait.to_string())
    })
}

#[derive(Serialize)]
struct Collection<T> {
    #[serde(rename = "totalCount")]
    total_count: usize,
    items: Vec<T>,
    attributes: ObjectType,
}

#[derive(Clone, Copy, Serialize)]
struct ObjectType {
    #[serde(rename = "objectType")]
    name: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UsageItem<'a> {
    customer_name: &'a str,
    product_name: &'a str,
    licenses_active: u32,
    licenses_qualified: u32,
    usage_percent: f64,
    workload_name: &'a str,
    processed_date_time: String,
    service_name: &'a str,
    channel: &'a str,
    attributes: ObjectType,
}

fn usage(simulator: &Simulator, id: &str) -> Result<Response, Response> {
    let Ok(id) = Uuid::try_parse(id) else {
        return Err(fault(400, "3000", "The customer id is not a GUID."));
    };
    let Some(number) = simulator.world.find(id) else {
        return Err(fault(
            404,
            "60003",
            "The customer tenant could not be found.",
        ));
    };
    let name = simulator.world.customer(number).name;
    let rows = simulator.world.usage(number, simulator.today());
    let items: Vec<UsageItem<'_>> = rows
        .iter()
        .map(|row| UsageItem {
            customer_name: &name,
            product_name: row.product,
            licenses_active: row.active,
            licenses_qualified: row.qualified,
            usage_percent: row.percent(),
            workload_name: row.workload,
            processed_date_time: format!("{}T00:00:00+00:00", row.processed),
            service_name: row.service.name(),
            channel: "reseller",
            attributes: ObjectType {
                name: "CustomerLicensesUsageInsights",
            },
        })
        .collect();
    let collection = Collection {
        total_count: items.len(),
        items,
        attributes: ObjectType { name: "Collection" },
    };
    let mut body = Vec::with_capacity(512 + rows.len() * 400);
    serde_json::to_writer(&mut body, &collection).expect("a collection is plain JSON");
    Ok(Response::new(200, JSON, body))
}

fn customers(
    simulator: &Simulator,
    settings: &Settings,
    request: &Request,
) -> Result<Response, Response> {
    let size = match request
        .query_value("size")
        .map(|text| text.parse::<usize>())
    {
        None => settings.max_page_size,
        Some(Ok(size)) if size > 0 => size.min(settings.max_page_size),
        Some(_) => return Err(fault(400, "3000", "The size is not a positive number.")),
    };
    let size = u32::try_from(size.max(1)).unwrap_or(u32::MAX);
    // Without the header this is a first page, whatever the query says. Clients
    // that forget to send it see the same page again, as with the real one.
    let from = match request.header("ms-continuationtoken").map(place_of) {
        None => 0,
        Some(Some(place)) => place,
        Some(None) => return Err(fault(400, "3000", "The continuation token is not valid.")),
    };
    let total = simulator.world.customers();
    let upto = from.saturating_add(size).min(total);
    let items: Vec<Value> = (from..upto)
        .map(|number| list_item(simulator, number))
        .collect();
    let host = request.header("host").unwrap_or("localhost");
    let query = if from == 0 {
        format!("customers?size={size}")
    } else {
        format!("customers?size={size}&seekOperation=Next")
    };
    let link =
        |uri: String, headers: Value| json!({ "uri": uri, "method": "GET", "headers": headers });
    let mut links = json!({ "self": link(uri(settings, host, &query), json!([])) });
    let next = match settings.next_link {
        NextLink::Repeat => Some(from),
        _ => (upto < total).then_some(upto),
    };
    if let Some(next) = next {
        let uri = uri(
            settings,
            host,
            &format!("customers?size={size}&seekOperation=Next"),
        );
        let header = json!([{ "key": "MS-ContinuationToken", "value": continuation(next) }]);
        links["next"] = link(uri, header);
    }
    let body = json!({
        "totalCount": items.len(),
        "items": items,
        "links": links,
        "attributes": { "objectType": "Collection" },
    });
    Ok(Response::json(200, &body))
}

fn list_item(simulator: &Simulator, number: u32) -> Value {
    let customer = simulator.world.customer(number);
    json!({
        "id": customer.id,
        "companyProfile": {
            "tenantId": customer.id,
            "domain": customer.domain,
            "companyName": customer.name,
            "attributes": { "objectType": "CustomerCompanyProfile" },
        },
        "relationshipToPartner": "reseller",
        "attributes": { "objectType": "Customer" },
    })
}

/// A link in the form that the settings ask for.
fn uri(settings: &Settings, host: &str, path: &str) -> String {
    match settings.next_link {
        NextLink::WithV1 => format!("/v1/{path}"),
        NextLink::WithoutV1 | NextLink::Repeat => format!("/{path}"),
        NextLink::NoSlash => path.to_owned(),
        NextLink::Absolute => format!("http://{host}/v1/{path}"),
        NextLink::Foreign => {
            let elsewhere = settings.next_link_host.trim_end_matches('/');
            format!("{elsewhere}/v1/{path}")
        }
    }
}

fn continuation(place: u32) -> String {
    STANDARD.encode(format!("customers:{place}"))
}

fn place_of(token: &str) -> Option<u32> {
    let bytes = STANDARD.decode(token).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.strip_prefix("customers:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_the_next_link_is_as_it_was_seen() {
        let link = |next_link| {
            let settings = Settings {
                next_link,
                next_link_host: "http://other.example/".to_owned(),
                ..Settings::default()
            };
            uri(&settings, "127.0.0.1:80", "customers?size=5")
        };
        assert_eq!(link(NextLink::WithV1), "/v1/customers?size=5");
        assert_eq!(link(NextLink::WithoutV1), "/customers?size=5");
        assert_eq!(link(NextLink::NoSlash), "customers?size=5");
        assert_eq!(
            link(NextLink::Absolute),
            "http://127.0.0.1:80/v1/customers?size=5"
        );
        assert_eq!(
            link(NextLink::Foreign),
            "http://other.example/v1/customers?size=5"
        );
    }

    #[test]
    fn a_continuation_leads_back_to_its_place() {
        assert_eq!(place_of(&continuation(41_500)), Some(41_500));
        assert_eq!(place_of("anything"), None);
    }
}

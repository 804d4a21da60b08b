//! The list of customers, page by page, with the continuation that leads from one page
//! to the next.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    api::fault,
    settings::{NextLink, Settings},
    simulator::Simulator,
    wire::http::{Request, Response},
};

/// Answers a call for one page.
///
/// # Errors
/// When the size or the continuation can't be understood: the fault as a response.
pub(crate) fn customers(
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
    let size = size.max(1);
    // Without the header this is a first page, whatever the query says. Clients
    // that forget to send it see the same page again, as with the real one.
    let from = match request.header("ms-continuationtoken").map(place_of) {
        None => 0,
        Some(Some(place)) => place,
        Some(None) => return Err(fault(400, "3000", "The continuation token is not valid.")),
    };
    let total = simulator.world.customers();
    let mut listed = (from..total).filter(|number| simulator.presence.is_listed(settings, *number));
    let items: Vec<Value> = listed
        .by_ref()
        .take(size)
        .map(|number| list_item(simulator, number))
        .collect();
    let origin = request.origin();
    let query = if from == 0 {
        format!("customers?size={size}")
    } else {
        format!("customers?size={size}&seekOperation=Next")
    };
    let link =
        |uri: String, headers: Value| json!({ "uri": uri, "method": "GET", "headers": headers });
    let mut links = json!({ "self": link(settings.next_link.link(settings, &origin, "v1", &query), json!([])) });
    let next = match settings.next_link {
        NextLink::Repeat => Some(from),
        _ => listed.next(),
    };
    if let Some(next) = next {
        let path = format!("customers?size={size}&seekOperation=Next");
        let uri = settings.next_link.link(settings, &origin, "v1", &path);
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
    fn a_continuation_leads_back_to_its_place() {
        assert_eq!(place_of(&continuation(41_500)), Some(41_500));
        assert_eq!(place_of("anything"), None);
    }
}

//! The list of customers, page by page, with a continuation token that leads from one page to the
//! next.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{envelope::fault, partner::Partner};
use crate::{
    settings::NextLinkForm, traffic::RequestContext, wire::HttpResponse, world::CustomerProfile,
};

/// The end of the query of every page but the first.
const NEXT: &str = "&seekOperation=Next";

/// Answers a call for one page.
///
/// # Errors
/// When the size or the continuation token is not valid: the fault to send.
pub(super) fn page(
    partner: &Partner,
    context: &RequestContext<'_>,
) -> Result<HttpResponse, HttpResponse> {
    let (settings, request) = (context.settings, context.request);
    let size = request.query_value("size").map(|text| text.parse());
    let size = match size {
        None => settings.max_page_size,
        Some(Ok(size)) if size > 0 => settings.max_page_size.min(size),
        Some(_) => return Err(fault(400, "3000", "The size is not a positive number.")),
    };
    let size = size.max(1);
    // Without the header this is the first page, whatever the query says: clients that do not send
    // it get the same page for ever, as from the real API.
    let first = match request.header("ms-continuationtoken").map(position) {
        None => 0,
        Some(Some(position)) => position,
        Some(None) => return Err(fault(400, "3000", "The continuation token is not valid.")),
    };
    let mut listed =
        (first..partner.world.customers()).filter(|number| partner.is_listed(settings, *number));
    let items: Vec<Value> = listed
        .by_ref()
        .take(size)
        .map(|number| item(&partner.world.customer(number)))
        .collect();
    let next = match settings.next_link {
        NextLinkForm::Repeat => Some(first),
        _ => listed.next(),
    };
    let origin = request.origin();
    let link = |query: &str, headers: Value| {
        let foreign = &settings.next_link_host;
        let path = format!("customers?size={size}{query}");
        let uri = settings.next_link.link(foreign, &origin, "v1", &path);
        json!({ "uri": uri, "method": "GET", "headers": headers })
    };
    let own = if first == 0 { "" } else { NEXT };
    let mut links = json!({ "self": link(own, json!([])) });
    if let Some(next) = next {
        let token = json!([{ "key": "MS-ContinuationToken", "value": continuation_token(next) }]);
        links["next"] = link(NEXT, token);
    }
    let body = json!({
        "totalCount": items.len(),
        "items": items,
        "links": links,
        "attributes": { "objectType": "Collection" },
    });
    Ok(HttpResponse::json(200, &body))
}

fn item(customer: &CustomerProfile) -> Value {
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

/// The token of the page that begins with the customer of this number.
fn continuation_token(position: u32) -> String {
    STANDARD.encode(format!("customers:{position}"))
}

fn position(token: &str) -> Option<u32> {
    let bytes = STANDARD.decode(token).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.strip_prefix("customers:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_continuation_token_leads_back_to_its_position() {
        assert_eq!(position(&continuation_token(41_500)), Some(41_500));
        assert_eq!(position("anything"), None);
    }
}

//! The partner-wide collections of usage and deployment, which supersede those of each customer:
//! the same figures, all customers in one list, with ids and codes. A page is made when it is asked
//! for; only the position of each customer's rows in the list is kept.

mod columns;
mod filter;
mod query;
mod row_index;
mod rows;

use serde_json::json;

use self::{query::PageQuery, row_index::row_index, rows::write_rows};
use super::partner::Partner;
use crate::{
    settings::NextLinkForm,
    traffic::RequestContext,
    wire::{HttpResponse, JSON},
    world::Dataset,
};

pub(super) use self::row_index::RowIndexCache;

/// Answers a call for one page.
///
/// # Errors
/// When a parameter is not valid: the fault to send.
pub(super) fn page(
    partner: &Partner,
    cache: &RowIndexCache,
    dataset: Dataset,
    context: &RequestContext<'_>,
) -> Result<HttpResponse, HttpResponse> {
    let settings = context.settings;
    let query = PageQuery::parse(&partner.world.calendar, dataset, context)?;
    let index = row_index(partner, cache, &query);
    let total = index.total();
    let end = query.skip.saturating_add(query.top).min(total);
    let start = query.skip.min(end);
    let mut body = Vec::with_capacity(512 + 420 * (end - start));
    body.extend_from_slice(format!("{{\"{}\":[", settings.rows_member).as_bytes());
    for (number, range) in index.customers_in(start..end) {
        write_rows(&partner.world, &query, number, range, &mut body);
    }
    if body.last() == Some(&b',') {
        body.pop();
    }
    body.push(b']');
    if settings.next_member != "none" {
        let next = match settings.commercial_next_link {
            NextLinkForm::Repeat => Some(query.skip),
            _ => (end < total).then_some(end),
        };
        let link = json!(next.map(|skip| query.link(context.request, skip)));
        body.extend_from_slice(format!(",\"{}\":{link}", settings.next_member).as_bytes());
    }
    body.extend_from_slice(format!(",\"{}\":{total}}}", settings.total_member).as_bytes());
    Ok(HttpResponse::new(200, JSON, body))
}

#[cfg(test)]
mod tests;

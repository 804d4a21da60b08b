//! The stand-in for the Partner Center API. Every call passes the `access_check` with its
//! `rate_limit`, then the collection that it asks for answers: the `customer_list`, a collection
//! `per_customer`, or a `partner_wide` one.

mod access_check;
mod customer_list;
mod envelope;
mod partner;
mod partner_wide;
mod per_customer;
mod rate_limit;

use std::sync::Mutex;

use tokio::task::block_in_place;

use self::{
    access_check::AccessCheck, envelope::fault, partner::Partner, partner_wide::RowIndexCache,
};
use crate::{
    sign_in::Issued,
    traffic::{Endpoint, RequestContext},
    wire::HttpResponse,
    world::World,
};

pub(crate) use self::envelope::with_ids;

/// What the API knows besides the settings.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) partner: Partner,
    pub(crate) access: AccessCheck,
    row_indexes: RowIndexCache,
}

impl Api {
    pub(crate) fn new(world: World) -> Self {
        Self {
            partner: Partner::new(world),
            access: AccessCheck::new(),
            row_indexes: RowIndexCache::default(),
        }
    }

    /// Answers a call. `issued` tells whether its token is valid.
    pub(crate) fn respond(
        &self,
        issued: &Mutex<Issued>,
        context: &RequestContext<'_>,
    ) -> HttpResponse {
        let request = context.request;
        if let Some(methods) = context.allowed_instead() {
            let text = "The requested resource does not support this method.";
            let response = with_ids(fault(405, "1000", text), request);
            return response.with("Allow", methods);
        }
        let access = self.access.check(issued, &self.partner.world, context);
        let mut response = match access.refusal {
            Some(refusal) => refusal,
            None => self.collection(context).unwrap_or_else(|fault| fault),
        };
        let asks_for_mfa = request
            .header("validatemfa")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if let Some(compliant) = access.mfa_compliant.filter(|_| asks_for_mfa) {
            response.set("isMfaCompliant", compliant.to_string());
        }
        if context.settings.bom {
            response.body.splice(0..0, *b"\xEF\xBB\xBF");
        }
        with_ids(response, request)
    }

    /// # Errors
    /// When the call cannot be answered: the fault to send.
    fn collection(&self, context: &RequestContext<'_>) -> Result<HttpResponse, HttpResponse> {
        let partner = &self.partner;
        match (context.endpoint, context.endpoint.dataset()) {
            (Endpoint::Customers, _) => customer_list::page(partner, context),
            (Endpoint::Usage | Endpoint::Deployment, Some(dataset)) => {
                per_customer::collection(partner, dataset, context)
            }
            // The first page of very many customers takes about a tenth of a second.
            (_, Some(dataset)) => {
                block_in_place(|| partner_wide::page(partner, &self.row_indexes, dataset, context))
            }
            _ => Err(fault(404, "1000", "The requested resource was not found.")),
        }
    }
}

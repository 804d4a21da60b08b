//! What the answer to one request depends on.

use chrono::NaiveDate;

use super::endpoint::Endpoint;
use crate::{settings::SimulatorSettings, wire::HttpRequest};

/// A request with its endpoint, and the settings and the simulated day that its answer goes by.
#[derive(Clone, Copy)]
pub(crate) struct RequestContext<'a> {
    pub(crate) request: &'a HttpRequest,
    pub(crate) endpoint: Endpoint,
    /// The customer's GUID or the sign-in's tenant in the path; empty where there is none.
    pub(crate) path_id: &'a str,
    pub(crate) settings: &'a SimulatorSettings,
    pub(crate) today: NaiveDate,
}

impl RequestContext<'_> {
    /// The methods that the endpoint supports, if the request's is not one of them.
    pub(crate) fn allowed_instead(&self) -> Option<&'static str> {
        let supported = self.endpoint.methods()?;
        let mut methods = supported.split(", ");
        let is_supported = methods.any(|method| method == self.request.method);
        (!is_supported).then_some(supported)
    }
}

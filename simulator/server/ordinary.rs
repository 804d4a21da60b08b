//! The answer that a request gets without a script.

use std::io;

use super::socket::Socket;
use crate::{
    sign_in,
    simulator::Simulator,
    traffic::{Endpoint, RequestContext},
    wire::{HttpRequest, HttpResponse},
};

/// The ordinary answer, after the configured latency. It is compressed if `gzip` says so, or if
/// `gzip` is `None` and both the settings and the client allow it.
pub(super) async fn response(
    simulator: &Simulator,
    socket: &Socket,
    request: &HttpRequest,
    gzip: Option<bool>,
) -> io::Result<HttpResponse> {
    let settings = simulator.settings();
    if settings.latency_ms > 0 || settings.jitter_ms > 0 {
        let jitter = rand::random_range(0..=settings.jitter_ms);
        let latency = settings.latency_ms.saturating_add(jitter);
        socket.pause(latency).await?;
    }
    let (endpoint, path_id) = Endpoint::of(request);
    let context = RequestContext {
        request,
        endpoint,
        path_id,
        settings: &settings,
        today: simulator.today(),
    };
    let mut response = if endpoint.is_api() {
        simulator.api.respond(&simulator.issued, &context)
    } else {
        sign_in::respond(&simulator.issued, &context)
    };
    if gzip.unwrap_or(settings.gzip && request.accepts_gzip()) {
        response.compress();
    }
    Ok(response)
}

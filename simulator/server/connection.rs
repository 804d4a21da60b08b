//! One client's connection: every request on it gets an answer, from `control`, from a script, or
//! from the endpoint that it is for.

use std::{io, ops::ControlFlow, sync::Arc};

use tokio::net::TcpStream;

use super::{ordinary, scripted, socket::Socket};
use crate::{
    control,
    simulator::Simulator,
    traffic::{Answered, Endpoint},
    wire::{HttpRequest, HttpResponse},
};

/// Serves one connection until either side ends it.
pub(super) async fn serve(simulator: Arc<Simulator>, stream: TcpStream) {
    simulator.stats.connected();
    tokio::select! {
        // A client may go away at any time, also during an answer.
        _ = answer_all(&simulator, Socket::new(stream)) => {}
        () = simulator.stop.cancelled() => {}
    }
}

async fn answer_all(simulator: &Simulator, mut socket: Socket) -> io::Result<()> {
    while let Some(request) = socket.next_request().await? {
        let next = answer(simulator, &socket, &request).await?;
        if next.is_break() || !request.keeps_alive() {
            break;
        }
    }
    Ok(())
}

/// Answers one request. Returns `Break` if the connection cannot take another one.
async fn answer(
    simulator: &Simulator,
    socket: &Socket,
    request: &HttpRequest,
) -> io::Result<ControlFlow<()>> {
    let (endpoint, path_id) = Endpoint::of(request);
    if endpoint == Endpoint::Control {
        send(socket, &control::respond(simulator, request), request).await?;
        return Ok(ControlFlow::Continue(()));
    }
    let _in_flight = simulator.stats.begin(endpoint);
    simulator.log.add(endpoint, request);
    if let Some(answer) = simulator.scripts.next(endpoint, path_id) {
        return scripted::send(simulator, socket, request, &answer).await;
    }
    let response = ordinary::response(simulator, socket, request, None).await?;
    let status = Answered::Status(response.status);
    simulator.stats.answered(endpoint, status);
    send(socket, &response, request).await?;
    Ok(ControlFlow::Continue(()))
}

async fn send(socket: &Socket, response: &HttpResponse, request: &HttpRequest) -> io::Result<()> {
    let length = u64::try_from(response.body.len()).unwrap_or(u64::MAX);
    let mut bytes = response.head(Some(length), !request.keeps_alive());
    if !request.is_head() {
        bytes.extend_from_slice(&response.body);
    }
    socket.write(&bytes).await
}

//! Sends scripted answers, with all the faults that a script can ask for.

use std::{io, mem, ops::ControlFlow};

use tokio_util::sync::CancellationToken;

use super::{ordinary, socket::Socket};
use crate::{
    api,
    simulator::Simulator,
    traffic::{Answered, Endpoint, ScriptedAnswer, ScriptedBody},
    wire::{self, HttpRequest, HttpResponse},
};

/// Maximum size in bytes of a chunk of a chunked answer: small, so that most answers have several.
const CHUNK_BYTES: usize = 1000;

/// Sends a scripted answer. Returns `Break` if the connection cannot take another request.
pub(super) async fn send(
    simulator: &Simulator,
    socket: &Socket,
    request: &HttpRequest,
    answer: &ScriptedAnswer,
) -> io::Result<ControlFlow<()>> {
    let (endpoint, _) = Endpoint::of(request);
    let answered = |how| simulator.stats.answered(endpoint, how);
    if answer.held {
        socket.unless_closed(simulator.scripts.removed()).await?;
    }
    socket.pause(answer.delay_ms).await?;
    if answer.resets_at_once() {
        answered(Answered::Reset);
        return close(socket, answer);
    }
    if let Some(bytes) = answer.raw() {
        answered(Answered::Raw);
        socket.write(&bytes).await?;
        return close(socket, answer);
    }
    let (mut response, mut body) = if answer.normal {
        let mut response = ordinary::response(simulator, socket, request, answer.gzip).await?;
        let body = mem::take(&mut response.body);
        (response, ScriptedBody::whole(body))
    } else {
        let (body, content_type) = answer.body();
        let response = HttpResponse::new(200, content_type, "");
        (api::with_ids(response, request), body)
    };
    if answer.gzip == Some(true) && !response.has("content-encoding") {
        body = ScriptedBody::whole(compressed(body, simulator.stop.clone()).await?);
        response.set("Content-Encoding", "gzip");
    }
    response.status = answer.status.unwrap_or(response.status);
    response.replace(&answer.headers);
    answered(Answered::Status(response.status));
    let length = (!answer.chunked).then(|| body.len());
    let head = response.head(length, !request.keeps_alive());
    socket.write(&head).await?;
    if !request.is_head() {
        send_body(socket, &body, answer).await?;
    }
    if answer.stall_after.is_some() {
        socket.closed_by_client().await?;
        return Ok(ControlFlow::Break(()));
    }
    if answer.cut_after.is_some() {
        return close(socket, answer);
    }
    if response.closes() {
        return Ok(ControlFlow::Break(()));
    }
    Ok(ControlFlow::Continue(()))
}

fn close(socket: &Socket, answer: &ScriptedAnswer) -> io::Result<ControlFlow<()>> {
    if answer.reset {
        socket.reset_on_close()?;
    }
    Ok(ControlFlow::Break(()))
}

async fn send_body(
    socket: &Socket,
    body: &ScriptedBody,
    answer: &ScriptedAnswer,
) -> io::Result<()> {
    let limit = answer.cut_after.or(answer.stall_after);
    let mut left = limit.unwrap_or(u64::MAX);
    let step = match answer.drip_ms {
        Some(_) => 1,
        None if answer.chunked => CHUNK_BYTES,
        None => usize::MAX,
    };
    for piece in body.pieces().flat_map(|piece| piece.chunks(step)) {
        let allowed = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let part = &piece[..allowed];
        left -= u64::try_from(allowed).unwrap_or(0);
        if part.is_empty() {
            return Ok(());
        }
        if answer.chunked {
            let mut chunk = format!("{:x}\r\n", part.len()).into_bytes();
            chunk.extend_from_slice(part);
            chunk.extend_from_slice(b"\r\n");
            socket.write(&chunk).await?;
        } else {
            socket.write(part).await?;
        }
        socket.pause(answer.drip_ms.unwrap_or(0)).await?;
    }
    if answer.chunked && limit.is_none() {
        socket.write(b"0\r\n\r\n").await?;
    }
    Ok(())
}

// Compressing a decompression bomb takes seconds, which must hold up neither the other connections
// nor the end of the server.
async fn compressed(body: ScriptedBody, stop: CancellationToken) -> io::Result<Vec<u8>> {
    let compress = move || {
        let pieces = body.pieces().take_while(|_| !stop.is_cancelled());
        wire::gzip_pieces(pieces)
    };
    tokio::task::spawn_blocking(compress)
        .await
        .map_err(io::Error::other)?
}

//! One client's connection: reads requests off the socket and puts answers on it,
//! ordinary or scripted. Knows how to misbehave, not when: that is `faults`.

use std::{io, sync::Arc, time::Duration};

use tokio::{net::TcpStream, task::block_in_place, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    api, control,
    sign_in::authorize as browser,
    sign_in::device_code as device,
    sign_in::entra_error as entra,
    sign_in::openid,
    sign_in::token as authority,
    simulator::{Kind, Simulator},
    traffic::scripts::{Answer, Body},
    traffic::stats::Answered,
    wire::http::{self, MAX_HEAD_BYTES, Request, Response},
};

const READ_BYTES: usize = 16 * 1024;

/// A control call may bring a large scripted body.
const MAX_BODY_BYTES: usize = 256 * 1024 * 1024;

/// Serves one connection until either side ends it.
pub(crate) async fn serve(simulator: Arc<Simulator>, stream: TcpStream) {
    simulator.stats.connected();
    // Without it only slower, so a failure is no reason to stop.
    let _ = stream.set_nodelay(true);
    let mut connection = Connection {
        simulator: &simulator,
        stream: &stream,
        buffer: vec![0; READ_BYTES],
        received: Vec::with_capacity(4096),
    };
    tokio::select! {
        // A client that goes away in mid-answer is its own business.
        _ = connection.run() => {}
        () = simulator.stop.cancelled() => {}
    }
}

struct Connection<'a> {
    simulator: &'a Simulator,
    stream: &'a TcpStream,
    buffer: Vec<u8>,
    /// What was read and is not yet part of a request.
    received: Vec<u8>,
}

/// Whether the connection can take a further request.
enum After {
    Keep,
    Close,
}

impl Connection<'_> {
    async fn run(&mut self) -> io::Result<()> {
        while let Some(request) = self.next_request().await? {
            match self.answer(&request).await? {
                After::Keep if request.keeps_alive() => {}
                After::Keep | After::Close => break,
            }
        }
        Ok(())
    }

    async fn answer(&self, request: &Request) -> io::Result<After> {
        let simulator = self.simulator;
        let (kind, about) = Kind::of(request);
        if kind == Kind::Control {
            return self
                .send(kind, &control::respond(simulator, request), request)
                .await;
        }
        let _under_way = simulator.stats.begin(kind);
        simulator.record.note(kind, request);
        if let Some(answer) = simulator.scripts.next(kind, about) {
            return self.act(&answer, kind, about, request).await;
        }
        let response = self.usual(kind, about, request, None).await?;
        self.send(kind, &response, request).await
    }

    /// The answer of a healthy server, packed as the client would have it unless
    /// `gzip` says otherwise.
    async fn usual(
        &self,
        kind: Kind,
        about: &str,
        request: &Request,
        gzip: Option<bool>,
    ) -> io::Result<Response> {
        let simulator = self.simulator;
        let settings = simulator.settings();
        if settings.latency_ms > 0 || settings.jitter_ms > 0 {
            let jitter = rand::random_range(0..=settings.jitter_ms);
            self.pause(settings.latency_ms.saturating_add(jitter))
                .await?;
        }
        if let Some(refusal) = not_allowed(kind, request) {
            return Ok(refusal);
        }
        let mut response = match kind {
            Kind::Token => authority::token(simulator, &settings, about, request),
            Kind::DeviceCode => device::begin(simulator, &settings, about, request),
            Kind::Authorize => browser::authorize(simulator, &settings, about, request),
            // The first to ask for keys waits until one is made.
            Kind::OpenId => block_in_place(|| openid::respond(about, request)),
            // A first page of very many customers is the work of a tenth of a second.
            Kind::CommercialUsage | Kind::CommercialDeployment => {
                block_in_place(|| api::respond(simulator, &settings, kind, about, request))
            }
            _ => api::respond(simulator, &settings, kind, about, request),
        };
        if gzip.unwrap_or(settings.gzip && request.accepts_gzip()) {
            response.compress();
        }
        Ok(response)
    }

    async fn send(&self, kind: Kind, response: &Response, request: &Request) -> io::Result<After> {
        if kind != Kind::Control {
            self.simulator
                .stats
                .answered(kind, Answered::Status(response.status));
        }
        let length = u64::try_from(response.body.len()).unwrap_or(u64::MAX);
        let mut bytes = response.head(Some(length), !request.keeps_alive());
        if !request.is_head() {
            bytes.extend_from_slice(&response.body);
        }
        self.write(&bytes).await?;
        Ok(After::Keep)
    }

    /// Carries out a scripted answer.
    async fn act(
        &self,
        answer: &Answer,
        kind: Kind,
        about: &str,
        request: &Request,
    ) -> io::Result<After> {
        let stats = &self.simulator.stats;
        self.pause(answer.delay_ms).await?;
        if answer.resets_at_once() {
            stats.answered(kind, Answered::Reset);
            self.stream.set_zero_linger()?;
            return Ok(After::Close);
        }
        if let Some(bytes) = answer.raw() {
            stats.answered(kind, Answered::Raw);
            self.write(&bytes).await?;
            return self.finish(answer);
        }
        let (mut response, mut body) = if answer.normal {
            let mut response = self.usual(kind, about, request, answer.gzip).await?;
            let body = std::mem::take(&mut response.body);
            (response, Body::whole(body))
        } else {
            let (body, content_type) = answer.body();
            (
                api::envelope(Response::new(200, content_type, ""), request),
                body,
            )
        };
        if answer.gzip == Some(true) && !response.has("content-encoding") {
            body = Body::whole(packed(body, self.simulator.stop.clone()).await?);
            response.set("Content-Encoding", "gzip");
        }
        response.status = answer.status.unwrap_or(response.status);
        response.replace(&answer.headers);
        stats.answered(kind, Answered::Status(response.status));
        let length = (!answer.chunked).then(|| body.len());
        self.write(&response.head(length, !request.keeps_alive()))
            .await?;
        if !request.is_head() {
            self.send_body(&body, answer).await?;
        }
        if answer.stall_after.is_some() {
            self.hung_up().await?;
            return Ok(After::Close);
        }
        if answer.cut_after.is_some() {
            return self.finish(answer);
        }
        if response.closes() {
            return Ok(After::Close);
        }
        Ok(After::Keep)
    }

    fn finish(&self, answer: &Answer) -> io::Result<After> {
        if answer.reset {
            self.stream.set_zero_linger()?;
        }
        Ok(After::Close)
    }

    async fn send_body(&self, body: &Body, answer: &Answer) -> io::Result<()> {
        let limit = answer.cut_after.or(answer.stall_after);
        let mut left = limit.unwrap_or(u64::MAX);
        let step = match answer.drip_ms {
            Some(_) => 1,
            // Small chunks, so that a chunked answer is more than one of them.
            None if answer.chunked => 1000,
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
                self.write(&chunk).await?;
            } else {
                self.write(part).await?;
            }
            self.pause(answer.drip_ms.unwrap_or(0)).await?;
        }
        if answer.chunked && limit.is_none() {
            self.write(b"0\r\n\r\n").await?;
        }
        Ok(())
    }

    /// Waits, unless the client goes away first.
    async fn pause(&self, millis: u64) -> io::Result<()> {
        if millis == 0 {
            return Ok(());
        }
        tokio::select! {
            () = sleep(Duration::from_millis(millis)) => Ok(()),
            gone = self.hung_up() => gone.and(Err(io::ErrorKind::ConnectionAborted.into())),
        }
    }

    /// Waits until the client ends the connection.
    async fn hung_up(&self) -> io::Result<()> {
        if self.stream.peek(&mut [0]).await? > 0 {
            // It has sent more already, so its going can't be seen behind that.
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    /// Reads one whole request; `None` at the end of the connection.
    async fn next_request(&mut self) -> io::Result<Option<Request>> {
        let mut searched = 0;
        let head_end = loop {
            let from = searched;
            searched = self.received.len().saturating_sub(3);
            let found = self.received[from..]
                .windows(4)
                .position(|window| window == b"\r\n\r\n");
            if let Some(place) = found {
                break from + place + 4;
            }
            if self.received.len() > MAX_HEAD_BYTES || !self.read_more().await? {
                return Ok(None);
            }
        };
        let Some(mut request) = Request::parse_head(&self.received[..head_end]) else {
            let response = Response::new(400, "text/plain", "this is not HTTP/1.1");
            self.write(&response.head(Some(0), true)).await?;
            return Ok(None);
        };
        let end = head_end.saturating_add(request.content_length());
        if end - head_end > MAX_BODY_BYTES || request.header("transfer-encoding").is_some() {
            let response = Response::new(411, "", "");
            self.write(&response.head(Some(0), true)).await?;
            return Ok(None);
        }
        if request.header("expect").is_some() && self.received.len() < end {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        while self.received.len() < end {
            if !self.read_more().await? {
                return Ok(None);
            }
        }
        request.body = self.received[head_end..end].to_vec();
        self.received.drain(..end);
        Ok(Some(request))
    }

    /// Takes in what has come; false at the end of the connection.
    async fn read_more(&mut self) -> io::Result<bool> {
        loop {
            match self.stream.try_read(&mut self.buffer) {
                Ok(count) => {
                    self.received.extend_from_slice(&self.buffer[..count]);
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stream.readable().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.try_write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stream.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The refusal of a method that the address does not take.
fn not_allowed(kind: Kind, request: &Request) -> Option<Response> {
    let allowed = kind.methods()?;
    if allowed.split(", ").any(|method| method == request.method) {
        return None;
    }
    let refusal = if kind.is_api() {
        let text = "The requested resource does not support this method.";
        api::envelope(api::fault(405, "1000", text), request)
    } else {
        entra::refusal(900_561).response()
    };
    Some(refusal.with("Allow", allowed))
}

// A bomb takes seconds to pack, which the other connections must not wait for,
// nor the end of the server.
async fn packed(body: Body, stop: CancellationToken) -> io::Result<Vec<u8>> {
    let pack = move || {
        let pieces = body.pieces().take_while(|_| !stop.is_cancelled());
        http::gzip_pieces(pieces)
    };
    tokio::task::spawn_blocking(pack)
        .await
        .map_err(io::Error::other)?
}

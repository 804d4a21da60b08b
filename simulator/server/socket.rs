//! One client's socket: reads whole requests, writes bytes, and notices when the client closes the
//! connection.

use std::{io, time::Duration};

use tokio::{net::TcpStream, time::sleep};

use crate::wire::{HttpRequest, HttpResponse, MAX_HEAD_BYTES};

const READ_BYTES: usize = 16 * 1024;

/// Maximum size of a request's body in bytes. Enough for a control call with a large scripted body;
/// without a bound, a wrong `Content-Length` could fill the memory.
const MAX_BODY_BYTES: usize = 256 * 1024 * 1024;

pub(super) struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes that were read and do not belong to a returned request.
    received: Vec<u8>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        // A failure only makes answers slower.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            buffer: vec![0; READ_BYTES],
            received: Vec::with_capacity(4096),
        }
    }

    /// Reads one whole request; `None` at the end of the connection.
    pub(super) async fn next_request(&mut self) -> io::Result<Option<HttpRequest>> {
        let mut searched = 0;
        let head_end = loop {
            let from = searched;
            searched = self.received.len().saturating_sub(3);
            let found = self.received[from..]
                .windows(4)
                .position(|window| window == b"\r\n\r\n");
            if let Some(position) = found {
                break from + position + 4;
            }
            if self.received.len() > MAX_HEAD_BYTES || !self.read_more().await? {
                return Ok(None);
            }
        };
        let Some(mut request) = HttpRequest::parse_head(&self.received[..head_end]) else {
            let response = HttpResponse::new(400, "text/plain", "");
            self.write(&response.head(Some(0), true)).await?;
            return Ok(None);
        };
        let end = head_end.saturating_add(request.content_length());
        if end - head_end > MAX_BODY_BYTES || request.header("transfer-encoding").is_some() {
            let response = HttpResponse::new(411, "", "");
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

    /// Reads what has arrived; false at the end of the connection.
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

    pub(super) async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
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

    /// Waits, unless the client closes the connection first.
    pub(super) async fn pause(&self, millis: u64) -> io::Result<()> {
        if millis == 0 {
            return Ok(());
        }
        self.unless_closed(sleep(Duration::from_millis(millis)))
            .await
    }

    /// Waits for `wait`, unless the client closes the connection first.
    pub(super) async fn unless_closed(&self, wait: impl Future<Output = ()>) -> io::Result<()> {
        tokio::select! {
            () = wait => Ok(()),
            closed = self.closed_by_client() => {
                closed.and(Err(io::ErrorKind::ConnectionAborted.into()))
            }
        }
    }

    /// Waits until the client closes the connection.
    pub(super) async fn closed_by_client(&self) -> io::Result<()> {
        if self.stream.peek(&mut [0]).await? > 0 {
            // The client has sent more data, so a close after it cannot be seen.
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    /// Lets the connection end with a reset in place of an ordinary close.
    pub(super) fn reset_on_close(&self) -> io::Result<()> {
        self.stream.set_zero_linger()
    }
}

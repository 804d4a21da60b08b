//! Bodies as they were before they were packed for the way: what `Content-Encoding` says, and what
//! the bytes say.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

use crate::partner_center::transport::error::TransportError;
use crate::printable::printable;

/// What a packed body begins with.
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];

/// Nobody packs a body more often.
const MOST_LAYERS: usize = 3;

/// So much of a packed body is unpacked at a stretch: at most a thousand times as much, in a few
/// milliseconds. Others have their turn in between.
const PIECE_BYTES: usize = 4 * 1024;

/// The body, unpacked, of at most `limit` bytes.
pub(in crate::partner_center) async fn unpack(
    headers: &HeaderMap,
    body: Bytes,
    limit: u64,
) -> Result<Bytes, TransportError> {
    let mut layers = layers(headers).map_err(TransportError::Encoding)?;
    if layers == 0 && body.starts_with(&GZIP) {
        // Packed by somebody on the way who does not say so: no text begins like this.
        layers = 1;
    }
    let mut body = body;
    for _ in 0..layers {
        // An empty body needs no unpacking, and one that is JSON was unpacked by somebody who left
        // the header.
        if body.is_empty() || is_json(&body) {
            break;
        }
        let mut unpacking = Unpacking::new(limit);
        for piece in body.chunks(PIECE_BYTES) {
            unpacking.push(piece)?;
            tokio::task::yield_now().await;
        }
        body = unpacking.finish()?;
    }
    Ok(body)
}

/// As much of the beginning of a body as can be unpacked, of at most `limit` bytes.
pub(in crate::partner_center) fn unpack_beginning(
    headers: &HeaderMap,
    body: Vec<u8>,
    limit: usize,
) -> Vec<u8> {
    if !body.starts_with(&GZIP) || layers(headers).is_err() {
        return body;
    }
    let mut unpacking = Unpacking::new(limit as u64);
    let _cut_off = body
        .chunks(PIECE_BYTES)
        .try_for_each(|piece| unpacking.push(piece));
    let _cut_off = unpacking.decoder.flush();
    std::mem::take(&mut unpacking.decoder.get_mut().bytes)
}

/// How often the body was packed; or what is wrong with that.
fn layers(headers: &HeaderMap) -> Result<usize, String> {
    let mut layers = 0;
    for value in headers.get_all(CONTENT_ENCODING) {
        let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        for coding in value.split(',') {
            match coding.trim() {
                "" | "identity" => {}
                "gzip" | "x-gzip" => layers += 1,
                other => {
                    return Err(format!(
                        "the body is packed as {:?}, and only gzip was asked for",
                        printable(other)
                    ));
                }
            }
        }
    }
    if layers > MOST_LAYERS {
        return Err(format!("the body is packed {layers} times over"));
    }
    Ok(layers)
}

fn is_json(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// A body that is being unpacked: one or several members in a row.
struct Unpacking {
    decoder: MultiGzDecoder<Bounded>,
}

/// Takes no more than so many bytes.
struct Bounded {
    bytes: Vec<u8>,
    limit: u64,
    is_over: bool,
}

impl Unpacking {
    fn new(limit: u64) -> Self {
        Self {
            decoder: MultiGzDecoder::new(Bounded {
                bytes: Vec::new(),
                limit,
                is_over: false,
            }),
        }
    }

    fn push(&mut self, piece: &[u8]) -> Result<(), TransportError> {
        let pushed = self.decoder.write_all(piece);
        pushed.map_err(|_| self.fault())
    }

    fn finish(mut self) -> Result<Bytes, TransportError> {
        match self.decoder.try_finish() {
            Ok(()) => Ok(std::mem::take(&mut self.decoder.get_mut().bytes).into()),
            Err(_) => Err(self.fault()),
        }
    }

    fn fault(&self) -> TransportError {
        let Bounded { limit, is_over, .. } = *self.decoder.get_ref();
        if is_over {
            TransportError::TooLarge(limit)
        } else {
            TransportError::Corrupt
        }
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.bytes.len() + bytes.len()) as u64 > self.limit {
            self.is_over = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    async fn unpacked(codings: &[&'static str], body: impl Into<Bytes>) -> Result<String, String> {
        let headers = codings
            .iter()
            .map(|coding| (CONTENT_ENCODING, coding.parse().unwrap()))
            .collect();
        match unpack(&headers, body.into(), 1_000).await {
            Ok(body) => Ok(String::from_utf8(body.to_vec()).unwrap()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn a_body_is_unpacked_however_its_coding_is_spelt() {
        let packed = gzip(b"{}");
        for codings in [
            &["gzip"][..],
            &["GZIP"],
            &["Gzip "],
            &["x-gzip"],
            &["X-GZip"],
            &["identity, gzip"],
            &["gzip,"],
            &["identity", "gzip"],
            &[],
            &["identity"],
        ] {
            let body = unpacked(codings, packed.clone()).await;
            assert_eq!(body.as_deref(), Ok("{}"), "{codings:?}");
        }
        let twice = gzip(&packed);
        assert_eq!(
            unpacked(&["gzip, gzip"], twice.clone()).await.unwrap(),
            "{}"
        );
        assert_eq!(unpacked(&["gzip", "x-gzip"], twice).await.unwrap(), "{}");
    }

    #[tokio::test]
    async fn what_is_not_packed_is_read_whatever_is_said() {
        for codings in [&["gzip"][..], &["identity"], &[""], &["gzip, gzip"], &[]] {
            for body in ["{\"items\":[]}", "\u{feff} {}", ""] {
                let read = unpacked(codings, body).await;
                assert_eq!(read.as_deref(), Ok(body), "{codings:?}");
            }
        }
    }

    #[tokio::test]
    async fn members_in_a_row_are_one_body() {
        let mut packed = gzip(b"{\"items\":");
        packed.extend(gzip(b""));
        packed.extend(gzip(b"[]}"));
        assert_eq!(unpacked(&["gzip"], packed).await.unwrap(), "{\"items\":[]}");
    }

    #[tokio::test]
    async fn a_body_that_is_cut_off_or_broken_is_told_from_one_that_is_too_large() {
        let packed = gzip(b"{\"items\":[]}");
        let broken = "the body's compression is broken or ends too early";
        for cut in 3..packed.len() {
            let read = unpacked(&["gzip"], packed[..cut].to_vec()).await;
            assert_eq!(read.unwrap_err(), broken, "{cut}");
        }
        let mut second_cut = packed.clone();
        second_cut.extend(&packed[..15]);
        assert_eq!(unpacked(&["gzip"], second_cut).await.unwrap_err(), broken);
        assert_eq!(unpacked(&["gzip"], "<html>").await.unwrap_err(), broken);
        let large = unpacked(&["gzip"], gzip(&[b' '; 1_001])).await;
        assert!(large.unwrap_err().contains("over 1000 bytes"));
    }

    #[tokio::test]
    async fn a_coding_that_nobody_asked_for_is_named() {
        for coding in ["br", "deflate", "zstd", "gzip, br", "compress"] {
            let error = unpacked(&[coding], "x").await.unwrap_err();
            let name = coding.rsplit(' ').next().unwrap();
            assert!(error.contains(&format!("{name:?}")), "{coding}: {error}");
        }
        let often = unpacked(&["gzip,gzip,gzip,gzip"], "x").await;
        assert!(often.unwrap_err().contains("4 times over"));
    }

    #[test]
    fn the_beginning_of_a_packed_fault_is_readable() {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, "GZIP".parse().unwrap())]);
        let packed = gzip(&b"{\"code\":\"2032\"}".repeat(1_000));
        let cut = packed[..packed.len() - 9].to_vec();
        let read = unpack_beginning(&headers, cut, 20_000);
        assert!(read.starts_with(b"{\"code\":\"2032\"}"));
        assert_eq!(unpack_beginning(&headers, b"{}".to_vec(), 9), b"{}");
    }
}

//! Decompresses bodies: according to `Content-Encoding`, and to the bytes where those disagree.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

use crate::partner_center::transport::error::TransportError;
use crate::printable::printable;

/// The first bytes of gzip.
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];

/// How often a body may be compressed. No proxy compresses more often, and each layer can multiply
/// the size by a thousand.
const MAX_LAYERS: usize = 3;

/// Compressed bytes that are decompressed before other tasks are given a turn. They become at most
/// a thousand times as many, which takes a few milliseconds.
const CHUNK_BYTES: usize = 4 * 1024;

/// The body, decompressed to at most `limit` bytes.
pub(in crate::partner_center) async fn decompress(
    headers: &HeaderMap,
    body: Bytes,
    limit: u64,
) -> Result<Bytes, TransportError> {
    let mut layers = layers(headers).map_err(TransportError::Encoding)?;
    if layers == 0 && body.starts_with(&GZIP) {
        // Compressed by a proxy that does not say so: no text begins like this.
        layers = 1;
    }
    let mut body = body;
    for _ in 0..layers {
        // A body that is JSON was decompressed by a proxy that left the header as it was.
        if body.is_empty() || is_json(&body) {
            break;
        }
        let mut decompression = Decompression::new(limit);
        for chunk in body.chunks(CHUNK_BYTES) {
            decompression.push(chunk)?;
            tokio::task::yield_now().await;
        }
        body = decompression.finish()?;
    }
    Ok(body)
}

/// As much of the beginning of a body as can be decompressed, at most `limit` bytes.
pub(in crate::partner_center) fn decompress_beginning(
    headers: &HeaderMap,
    body: Vec<u8>,
    limit: usize,
) -> Vec<u8> {
    if !body.starts_with(&GZIP) || layers(headers).is_err() {
        return body;
    }
    let mut decompression = Decompression::new(limit as u64);
    let _cut_off = body
        .chunks(CHUNK_BYTES)
        .try_for_each(|chunk| decompression.push(chunk));
    let _cut_off = decompression.decoder.flush();
    std::mem::take(&mut decompression.decoder.get_mut().bytes)
}

/// How often the body was compressed.
///
/// # Errors
/// With the reason why it cannot be decompressed.
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
                        "the body is compressed as {:?}, and only gzip was asked for",
                        printable(other)
                    ));
                }
            }
        }
    }
    if layers > MAX_LAYERS {
        return Err(format!("the body is compressed {layers} times over"));
    }
    Ok(layers)
}

fn is_json(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// A body that is being decompressed: one or several gzip members in a row.
struct Decompression {
    decoder: MultiGzDecoder<Bounded>,
}

/// A buffer of bounded size.
struct Bounded {
    bytes: Vec<u8>,
    limit: u64,
    is_over: bool,
}

impl Decompression {
    fn new(limit: u64) -> Self {
        Self {
            decoder: MultiGzDecoder::new(Bounded {
                bytes: Vec::new(),
                limit,
                is_over: false,
            }),
        }
    }

    fn push(&mut self, chunk: &[u8]) -> Result<(), TransportError> {
        let pushed = self.decoder.write_all(chunk);
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

    async fn decompressed(
        codings: &[&'static str],
        body: impl Into<Bytes>,
    ) -> Result<String, String> {
        let headers = codings
            .iter()
            .map(|coding| (CONTENT_ENCODING, coding.parse().unwrap()))
            .collect();
        match decompress(&headers, body.into(), 1_000).await {
            Ok(body) => Ok(String::from_utf8(body.to_vec()).unwrap()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn a_body_is_decompressed_in_every_spelling_of_its_coding() {
        let compressed = gzip(b"{}");
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
            let body = decompressed(codings, compressed.clone()).await;
            assert_eq!(body.as_deref(), Ok("{}"), "{codings:?}");
        }
        let twice = gzip(&compressed);
        assert_eq!(
            decompressed(&["gzip, gzip"], twice.clone()).await.unwrap(),
            "{}"
        );
        assert_eq!(
            decompressed(&["gzip", "x-gzip"], twice).await.unwrap(),
            "{}"
        );
    }

    #[tokio::test]
    async fn a_body_that_is_not_compressed_is_read_whatever_the_header_says() {
        for codings in [&["gzip"][..], &["identity"], &[""], &["gzip, gzip"], &[]] {
            for body in ["{\"items\":[]}", "\u{feff} {}", ""] {
                let read = decompressed(codings, body).await;
                assert_eq!(read.as_deref(), Ok(body), "{codings:?}");
            }
        }
    }

    #[tokio::test]
    async fn members_in_a_row_are_one_body() {
        let mut compressed = gzip(b"{\"items\":");
        compressed.extend(gzip(b""));
        compressed.extend(gzip(b"[]}"));
        assert_eq!(
            decompressed(&["gzip"], compressed).await.unwrap(),
            "{\"items\":[]}"
        );
    }

    #[tokio::test]
    async fn a_body_that_is_cut_off_or_corrupt_is_told_from_one_that_is_too_large() {
        let compressed = gzip(b"{\"items\":[]}");
        let broken = "the body's compression is broken or ends too early";
        for cut in 3..compressed.len() {
            let read = decompressed(&["gzip"], compressed[..cut].to_vec()).await;
            assert_eq!(read.unwrap_err(), broken, "{cut}");
        }
        let mut second_cut = compressed.clone();
        second_cut.extend(&compressed[..15]);
        assert_eq!(
            decompressed(&["gzip"], second_cut).await.unwrap_err(),
            broken
        );
        assert_eq!(decompressed(&["gzip"], "<html>").await.unwrap_err(), broken);
        let large = decompressed(&["gzip"], gzip(&[b' '; 1_001])).await;
        assert!(large.unwrap_err().contains("over 1000 bytes"));
    }

    #[tokio::test]
    async fn a_coding_that_was_not_asked_for_is_named() {
        for coding in ["br", "deflate", "zstd", "gzip, br", "compress"] {
            let error = decompressed(&[coding], "x").await.unwrap_err();
            let name = coding.rsplit(' ').next().unwrap();
            assert!(error.contains(&format!("{name:?}")), "{coding}: {error}");
        }
        let often = decompressed(&["gzip,gzip,gzip,gzip"], "x").await;
        assert!(often.unwrap_err().contains("4 times over"));
    }

    #[test]
    fn the_beginning_of_a_compressed_fault_is_readable() {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, "GZIP".parse().unwrap())]);
        let compressed = gzip(&b"{\"code\":\"2032\"}".repeat(1_000));
        let cut = compressed[..compressed.len() - 9].to_vec();
        let read = decompress_beginning(&headers, cut, 20_000);
        assert!(read.starts_with(b"{\"code\":\"2032\"}"));
        assert_eq!(decompress_beginning(&headers, b"{}".to_vec(), 9), b"{}");
    }
}

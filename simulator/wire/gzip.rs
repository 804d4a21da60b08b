//! Compression of bodies.

use std::{
    cell::RefCell,
    io::{self, Write as _},
};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

thread_local! {
    // A compressor allocates about 300 kB, so each thread keeps one for all its responses.
    static COMPRESSOR: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
}

/// These bytes as one complete gzip member.
pub(super) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut packed = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 4, 255];
    packed.reserve(plain.len() / 2 + 128);
    COMPRESSOR.with_borrow_mut(|compressor| {
        compressor.reset();
        loop {
            let done = usize::try_from(compressor.total_in()).expect("the input is in memory");
            let status = compressor
                .compress_vec(&plain[done..], &mut packed, FlushCompress::Finish)
                .expect("a reset compressor accepts any input");
            if status == Status::StreamEnd {
                break;
            }
            packed.reserve(packed.len());
        }
    });
    let mut checksum = Crc::new();
    checksum.update(plain);
    packed.extend_from_slice(&checksum.sum().to_le_bytes());
    packed.extend_from_slice(&checksum.amount().to_le_bytes());
    packed
}

/// One gzip member made of pieces, so that a generated body need not be in memory as a whole.
pub(crate) fn gzip_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
    for piece in pieces {
        encoder.write_all(piece)?;
    }
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_compressed_body_unpacks_to_itself_each_time() {
        for length in [0_usize, 1, 5_000, 300_000] {
            let plain: Vec<u8> = (0_u8..=250).cycle().take(length).collect();
            let packed = gzip(&plain);
            let mut unpacked = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(&packed[..]);
            decoder.read_to_end(&mut unpacked).unwrap();
            assert!(unpacked == plain, "{length} bytes");
        }
    }
}

//! Sorts the items of a partner-wide collection by customer, on disk. Any page may hold items of
//! any customer, and a customer is stored as a whole, so no customer is complete before the last
//! page. A collection does not fit into memory: the items are written to a temporary file, divided
//! into buckets that are read one at a time.
//!
//! The file has no name, so nothing is left behind however the program ends. It is compressed,
//! because `/tmp` is often in memory.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use uuid::Uuid;

use crate::ledger::CustomerId;
use crate::partner_center::ApiError;

/// Bytes that a bucket buffers before it is written to the file. There are up to 1,024 buckets,
/// whose buffers take about 16 MiB of memory at most.
const BLOCK_BYTES: usize = 8 * 1024;

/// Bytes of one bucket, which is read into memory as a whole. A bucket of some hundred customers
/// has a few megabytes.
const MAX_BUCKET_BYTES: u64 = 256 * 1024 * 1024;

/// An item and its customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpooledItem<T> {
    pub(super) customer: CustomerId,
    /// The place in the whole collection, counted from one.
    pub(super) number: u64,
    pub(super) json: T,
}

/// The items of a collection, by bucket.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    file_bytes: u64,
    buckets: Vec<BucketBuffer>,
    encoder: DeflateEncoder<Vec<u8>>,
}

#[derive(Debug, Default)]
struct BucketBuffer {
    /// The length of all items that were pushed.
    item_bytes: u64,
    /// Items that are not in the file yet.
    buffered: Vec<u8>,
    blocks: Vec<Block>,
}

/// The place of a compressed block in the file.
#[derive(Debug)]
struct Block {
    offset: u64,
    length: u64,
}

impl Spool {
    pub(super) fn new(buckets: usize) -> io::Result<Self> {
        Ok(Self {
            file: tempfile::tempfile()?,
            file_bytes: 0,
            buckets: std::iter::repeat_with(BucketBuffer::default)
                .take(buckets)
                .collect(),
            encoder: DeflateEncoder::new(Vec::new(), Compression::fast()),
        })
    }

    pub(super) fn push(
        &mut self,
        bucket: usize,
        item: &SpooledItem<impl AsRef<str>>,
    ) -> Result<(), ApiError> {
        let json = item.json.as_ref();
        let buffer = &mut self.buckets[bucket];
        buffer.buffered.extend(item.customer.as_uuid().as_bytes());
        buffer.buffered.extend(item.number.to_le_bytes());
        buffer.buffered.extend((json.len() as u64).to_le_bytes());
        buffer.buffered.extend(json.as_bytes());
        buffer.item_bytes += json.len() as u64;
        if buffer.item_bytes > MAX_BUCKET_BYTES {
            let what = format!(
                "the collection holds over {} MiB of a few customers",
                MAX_BUCKET_BYTES >> 20
            );
            return Err(ApiError::Unexpected(what));
        }
        if buffer.buffered.len() >= BLOCK_BYTES {
            self.flush(bucket).map_err(ApiError::Spool)?;
        }
        Ok(())
    }

    /// Writes all buffers to the file and frees them. Nothing may be pushed afterwards.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        for bucket in 0..self.buckets.len() {
            self.flush(bucket)?;
            self.buckets[bucket].buffered = Vec::new();
        }
        self.encoder.reset(Vec::new())?;
        Ok(())
    }

    fn flush(&mut self, bucket: usize) -> io::Result<()> {
        let bucket = &mut self.buckets[bucket];
        if bucket.buffered.is_empty() {
            return Ok(());
        }
        self.encoder.write_all(&bucket.buffered)?;
        let block = self.encoder.reset(Vec::with_capacity(BLOCK_BYTES))?;
        self.file.write_all(&block)?;
        let length = block.len() as u64;
        bucket.blocks.push(Block {
            offset: self.file_bytes,
            length,
        });
        self.file_bytes += length;
        bucket.buffered.clear();
        bucket.buffered.shrink_to(2 * BLOCK_BYTES);
        Ok(())
    }

    /// The content of a bucket, to be read with [`read_items`]. It can be loaded once.
    pub(super) fn load(&mut self, bucket: usize) -> io::Result<Vec<u8>> {
        let mut items = Vec::new();
        for block in std::mem::take(&mut self.buckets[bucket].blocks) {
            self.file.seek(SeekFrom::Start(block.offset))?;
            DeflateDecoder::new((&mut self.file).take(block.length)).read_to_end(&mut items)?;
        }
        Ok(items)
    }
}

/// The items of a bucket, in the order in which they were pushed.
pub(super) fn read_items(mut bucket: &[u8]) -> impl Iterator<Item = io::Result<SpooledItem<&str>>> {
    std::iter::from_fn(move || {
        if bucket.is_empty() {
            return None;
        }
        let item = next_item(&mut bucket);
        if item.is_none() {
            bucket = &[];
        }
        Some(item.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "it does not hold what was written",
            )
        }))
    })
}

fn next_item<'a>(bucket: &mut &'a [u8]) -> Option<SpooledItem<&'a str>> {
    let (customer, rest) = bucket.split_first_chunk::<16>()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (json, rest) = rest.split_at_checked(length)?;
    *bucket = rest;
    Some(SpooledItem {
        customer: Uuid::from_bytes(*customer).into(),
        number: u64::from_le_bytes(*number),
        json: std::str::from_utf8(json).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn each_bucket_returns_its_items_in_order(
            items in prop::collection::vec(
                (0_usize..4, any::<u128>(), ".{0,40}", 1_usize..600),
                0..60,
            ),
        ) {
            let mut spool = Spool::new(4).unwrap();
            let mut expected = vec![Vec::new(); 4];
            for (number, (bucket, customer, text, times)) in items.into_iter().enumerate() {
                let item = SpooledItem {
                    customer: Uuid::from_u128(customer).into(),
                    number: number as u64,
                    json: text.repeat(times),
                };
                spool.push(bucket, &item).unwrap();
                expected[bucket].push(item);
            }
            spool.finish().unwrap();
            for (bucket, expected) in expected.iter().enumerate() {
                let bucket = spool.load(bucket).unwrap();
                let items: Vec<_> = read_items(&bucket)
                    .map(|item| {
                        let SpooledItem { customer, number, json } = item.unwrap();
                        SpooledItem { customer, number, json: json.to_owned() }
                    })
                    .collect();
                prop_assert_eq!(&items, expected);
            }
        }
    }

    #[test]
    fn a_bucket_that_was_cut_off_is_an_error() {
        let mut spool = Spool::new(1).unwrap();
        let item = SpooledItem {
            customer: Uuid::nil().into(),
            number: 1,
            json: "{}",
        };
        spool.push(0, &item).unwrap();
        spool.finish().unwrap();
        let whole = spool.load(0).unwrap();
        for cut in 1..whole.len() {
            let items: Vec<_> = read_items(&whole[..cut]).collect();
            assert_eq!(items.len(), 1);
            assert!(items[0].is_err(), "{cut}");
        }
    }
}

//! Items on their way from pages to customers. A page holds a bit of some customers, and a customer
//! is stored whole, so that a collection has to be taken in to its end before its first customer is
//! ready. Memory would not hold it: the items wait in a temporary file, divided into shares of
//! which one at a time fits.
//!
//! The file has no name, so that nothing is left behind however the program ends. It is packed, for
//! it often lies in memory after all: many a machine's `/tmp` does.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use uuid::Uuid;

use crate::ledger::CustomerId;
use crate::partner_center::ApiError;

/// What a share keeps in memory before it goes to the file. There are up to a thousand shares.
const BLOCK_BYTES: usize = 8 * 1024;

/// A share is read into memory as a whole. It holds some hundred customers, so that a few megabytes
/// are usual.
const MAX_SHARE_BYTES: u64 = 256 * 1024 * 1024;

/// An item as it came, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpooledItem<T> {
    pub(super) customer: CustomerId,
    /// Its place in the whole collection, counted from one.
    pub(super) number: u64,
    /// JSON text.
    pub(super) item: T,
}

/// The items of a collection, by shares.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    end: u64,
    shares: Vec<Share>,
    packer: DeflateEncoder<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Share {
    /// All that was pushed.
    bytes: u64,
    waiting: Vec<u8>,
    blocks: Vec<Block>,
}

/// Where a packed block is in the file.
#[derive(Debug)]
struct Block {
    at: u64,
    length: u64,
}

impl Spool {
    pub(super) fn new(shares: usize) -> io::Result<Self> {
        Ok(Self {
            file: tempfile::tempfile()?,
            end: 0,
            shares: std::iter::repeat_with(Share::default)
                .take(shares)
                .collect(),
            packer: DeflateEncoder::new(Vec::new(), Compression::fast()),
        })
    }

    pub(super) fn push(
        &mut self,
        share: usize,
        item: &SpooledItem<impl AsRef<str>>,
    ) -> Result<(), ApiError> {
        let text = item.item.as_ref();
        let waiting = &mut self.shares[share].waiting;
        waiting.extend_from_slice(item.customer.as_uuid().as_bytes());
        waiting.extend_from_slice(&item.number.to_le_bytes());
        waiting.extend_from_slice(&(text.len() as u64).to_le_bytes());
        waiting.extend_from_slice(text.as_bytes());
        let is_full = waiting.len() >= BLOCK_BYTES;
        let bytes = &mut self.shares[share].bytes;
        *bytes += text.len() as u64;
        if *bytes > MAX_SHARE_BYTES {
            let what = format!(
                "the collection holds over {} MiB of a few customers",
                MAX_SHARE_BYTES >> 20
            );
            return Err(ApiError::Unexpected(what));
        }
        if is_full {
            self.write_out(share).map_err(ApiError::Spool)?;
        }
        Ok(())
    }

    /// Puts what still waits into the file, and frees its memory. Nothing may be pushed afterwards.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        for share in 0..self.shares.len() {
            self.write_out(share)?;
            self.shares[share].waiting = Vec::new();
        }
        self.packer.reset(Vec::new())?;
        Ok(())
    }

    fn write_out(&mut self, share: usize) -> io::Result<()> {
        let share = &mut self.shares[share];
        if share.waiting.is_empty() {
            return Ok(());
        }
        self.packer.write_all(&share.waiting)?;
        let packed = self.packer.reset(Vec::with_capacity(BLOCK_BYTES))?;
        self.file.write_all(&packed)?;
        let length = packed.len() as u64;
        share.blocks.push(Block {
            at: self.end,
            length,
        });
        self.end += length;
        share.waiting.clear();
        share.waiting.shrink_to(2 * BLOCK_BYTES);
        Ok(())
    }

    /// Everything of a share, to be read with [`read_items`].
    pub(super) fn load(&mut self, share: usize) -> io::Result<Vec<u8>> {
        let mut items = Vec::new();
        for block in std::mem::take(&mut self.shares[share].blocks) {
            self.file.seek(SeekFrom::Start(block.at))?;
            DeflateDecoder::new((&mut self.file).take(block.length)).read_to_end(&mut items)?;
        }
        Ok(items)
    }
}

/// The items of a share, in the order in which they were pushed.
pub(super) fn read_items(mut share: &[u8]) -> impl Iterator<Item = io::Result<SpooledItem<&str>>> {
    std::iter::from_fn(move || {
        if share.is_empty() {
            return None;
        }
        let item = next_item(&mut share);
        if item.is_none() {
            share = &[];
        }
        Some(item.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "it does not hold what was written",
            )
        }))
    })
}

fn next_item<'a>(share: &mut &'a [u8]) -> Option<SpooledItem<&'a str>> {
    let (customer, rest) = share.split_first_chunk::<16>()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (item, rest) = rest.split_at_checked(length)?;
    *share = rest;
    Some(SpooledItem {
        customer: Uuid::from_bytes(*customer).into(),
        number: u64::from_le_bytes(*number),
        item: std::str::from_utf8(item).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_share_gives_back_its_items_in_their_order(
            items in prop::collection::vec((0_usize..4, any::<u128>(), ".{0,40}", 1_usize..600), 0..120),
        ) {
            let mut spool = Spool::new(4).unwrap();
            let mut expected = vec![Vec::new(); 4];
            for (number, (share, customer, text, times)) in items.into_iter().enumerate() {
                let item = SpooledItem {
                    customer: Uuid::from_u128(customer).into(),
                    number: number as u64,
                    item: text.repeat(times),
                };
                spool.push(share, &item).unwrap();
                expected[share].push(item);
            }
            spool.finish().unwrap();
            for (share, expected) in expected.iter().enumerate() {
                let share = spool.load(share).unwrap();
                let items: Vec<_> = read_items(&share)
                    .map(|item| {
                        let SpooledItem { customer, number, item } = item.unwrap();
                        SpooledItem { customer, number, item: item.to_owned() }
                    })
                    .collect();
                prop_assert_eq!(&items, expected);
            }
        }
    }

    #[test]
    fn a_share_that_was_cut_is_an_error_and_no_end() {
        let mut spool = Spool::new(1).unwrap();
        let item = SpooledItem {
            customer: Uuid::nil().into(),
            number: 1,
            item: "{}",
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

//! Bodies of scripted answers. A large one is generated while it is sent.

use std::{fmt::Display, iter};

/// The approximate size in bytes of a generated piece. Larger pieces would cost memory, smaller
/// ones a system call each for little data.
const PIECE_BYTES: usize = 64 * 1024;

const TAIL: &str = r#"],"attributes":{"objectType":"Collection"}}"#;

fn head(count: impl Display) -> String {
    format!(r#"{{"totalCount":{count},"items":["#)
}

/// A body that may be far larger than memory: some bytes, then one unit many times, then some more
/// bytes.
#[derive(Debug)]
pub(crate) struct ScriptedBody {
    start: Vec<u8>,
    unit_bytes: usize,
    /// Several units, about [`PIECE_BYTES`] in total.
    batch: Vec<u8>,
    batches: u64,
    /// The units that are left after the last full batch.
    rest: usize,
    end: Vec<u8>,
}

impl ScriptedBody {
    pub(crate) fn whole(bytes: Vec<u8>) -> Self {
        Self::new(bytes, b"", 0, Vec::new())
    }

    fn new(start: Vec<u8>, unit: &[u8], times: u64, end: Vec<u8>) -> Self {
        let in_batch = (PIECE_BYTES / unit.len().max(1)).max(1);
        let per_batch = u64::try_from(in_batch).expect("a batch is small");
        Self {
            start,
            unit_bytes: unit.len(),
            batch: unit.repeat(in_batch),
            batches: times / per_batch,
            rest: usize::try_from(times % per_batch).expect("the rest is below a batch"),
            end,
        }
    }

    /// A usage collection of these items.
    pub(super) fn of_items(items: &[&str]) -> Self {
        let body = format!("{}{}{TAIL}", head(items.len()), items.join(","));
        Self::whole(body.into())
    }

    /// A usage collection of the same item many times.
    pub(super) fn of_copies(item: &str, times: u64) -> Self {
        let first = if times == 0 { "" } else { item };
        let start = format!("{}{first}", head(times));
        let unit = format!(",{item}");
        let more = times.saturating_sub(1);
        Self::new(start.into(), unit.as_bytes(), more, TAIL.into())
    }

    /// An empty usage collection padded to this many bytes, or slightly more if that is too few.
    pub(super) fn padded(length: u64) -> Self {
        let open = TAIL.strip_suffix('}').expect("the tail closes an object");
        let start = format!(r#"{}{open},"padding":""#, head(0));
        let end = r#""}"#;
        let around = u64::try_from(start.len() + end.len()).unwrap_or(u64::MAX);
        let padding = length.saturating_sub(around);
        Self::new(start.into(), b"x", padding, end.into())
    }

    /// The size in bytes.
    pub(crate) fn len(&self) -> u64 {
        let size = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        size(self.start.len())
            + self.batches.saturating_mul(size(self.batch.len()))
            + size(self.rest * self.unit_bytes)
            + size(self.end.len())
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let batches = (0..self.batches).map(|_| &self.batch[..]);
        iter::once(&self.start[..])
            .chain(batches)
            .chain([&self.batch[..self.rest * self.unit_bytes], &self.end[..]])
            .filter(|piece| !piece.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn json(body: &ScriptedBody) -> Value {
        let bytes: Vec<u8> = body.pieces().flatten().copied().collect();
        assert_eq!(u64::try_from(bytes.len()).unwrap(), body.len());
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn a_repeated_item_makes_a_collection_of_that_many() {
        for times in [0, 1, 20_000] {
            let value = json(&ScriptedBody::of_copies(r#"{"a":1.0}"#, times));
            let items = value["items"].as_array().unwrap().len();
            assert_eq!(u64::try_from(items).unwrap(), times);
            assert_eq!(value["totalCount"], times);
        }
    }

    #[test]
    fn a_padded_collection_is_json_of_the_requested_length() {
        for length in [200, 65_536, 1_000_000] {
            let body = ScriptedBody::padded(length);
            assert_eq!(body.len(), length);
            assert_eq!(json(&body)["attributes"]["objectType"], "Collection");
        }
    }
}

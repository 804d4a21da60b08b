//! Why an answer is not a usable collection.

use crate::ledger::Rejection;
use crate::partner_center::decode::body::BodyError;
use crate::partner_center::decode::fault::ApiFault;
use crate::partner_center::decode::next::NextLinkError;

/// Rejections of one collection. With more, the whole collection fails: the answer is hardly the
/// one that was requested, and storing each of its items would fill memory and the ledger.
pub(in crate::partner_center) const MAX_REJECTIONS: usize = 10_000;

/// Bytes of the payloads of one collection's rejections; with more the whole collection fails.
pub(in crate::partner_center) const MAX_REJECTED_BYTES: usize = 16 * 1024 * 1024;

/// Why an answer is not a usable collection.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::partner_center) enum DecodeError {
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("the member items is not a list")]
    ItemsNotAList,
    #[error("the body is a fault although the status is 200: {0}")]
    Fault(ApiFault),
    #[error("over {limit} are unusable; the first: {first}")]
    TooManyRejections { limit: String, first: String },
    #[error(transparent)]
    NextLink(#[from] NextLinkError),
}

impl DecodeError {
    /// More rejections than [`MAX_REJECTIONS`], or else more bytes than [`MAX_REJECTED_BYTES`].
    pub(in crate::partner_center) fn too_many(rejections: &[Rejection]) -> Self {
        let limit = if rejections.len() > MAX_REJECTIONS {
            format!("{MAX_REJECTIONS} items")
        } else {
            format!("{} MiB of items", MAX_REJECTED_BYTES >> 20)
        };
        let first = rejections.first().map(|rejection| rejection.detail.clone());
        Self::TooManyRejections {
            limit,
            first: first.unwrap_or_default(),
        }
    }
}

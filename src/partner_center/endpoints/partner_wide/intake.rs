//! Takes in the pages of a partner-wide collection: items of wanted customers go to the spool,
//! items without a customer are kept in memory.

use std::io;

use super::page::PartnerWidePage;
use super::spool::Spool;
use super::wanted::WantedCustomers;
use crate::ledger::Rejection;
use crate::partner_center::ApiError;
use crate::partner_center::decode::{DecodeError, MAX_REJECTED_BYTES, MAX_REJECTIONS};
use crate::partner_center::transport::aside::Aside;

/// Why the spool cannot be missing.
const IS_THERE: &str = "nothing is taken in after a page that failed";

/// The pages that were taken in so far.
pub(super) struct Intake {
    /// `None` while a page is written to it, and after that failed.
    spool: Option<Spool>,
    pub(super) unattributed: Vec<Rejection>,
    unattributed_bytes: usize,
    pub(super) received: u64,
    pub(super) unwanted: u64,
    pub(super) http_status: u16,
    pub(super) note: Option<String>,
}

impl Intake {
    pub(super) fn new(wanted: &WantedCustomers) -> io::Result<Self> {
        Ok(Self {
            spool: Some(Spool::new(wanted.bucket_count())?),
            unattributed: Vec::new(),
            unattributed_bytes: 0,
            received: 0,
            unwanted: 0,
            http_status: 204,
            note: None,
        })
    }

    pub(super) async fn push(
        &mut self,
        page: PartnerWidePage,
        wanted: WantedCustomers,
        aside: &Aside,
    ) -> Result<(), ApiError> {
        self.received += page.received;
        self.unwanted += page.unwanted;
        self.http_status = self.http_status.min(page.http_status);
        for rejection in page.unattributed {
            self.unattributed_bytes += rejection.payload.len();
            self.unattributed.push(rejection);
        }
        if self.unattributed.len() > MAX_REJECTIONS || self.unattributed_bytes > MAX_REJECTED_BYTES
        {
            return Err(DecodeError::too_many(&self.unattributed).into());
        }
        let mut spool = self.spool.take().expect(IS_THERE);
        let write = move || {
            for item in &page.items {
                spool.push(wanted.bucket_of(item.customer), item)?;
            }
            Ok::<_, ApiError>(spool)
        };
        let written = aside.work(page.bytes, write).await;
        self.spool = Some(written?);
        Ok(())
    }

    /// The spool with the items of all pages.
    pub(super) fn finish(&mut self) -> Result<Spool, ApiError> {
        let mut spool = self.spool.take().expect(IS_THERE);
        spool.finish().map_err(ApiError::Spool)?;
        Ok(spool)
    }
}

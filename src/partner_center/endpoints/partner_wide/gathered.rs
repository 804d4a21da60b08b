//! What came of a partner-wide collection so far: items on their way into the spool, and those of
//! nobody.

use std::io;

use super::page::Page;
use super::spool::Spool;
use super::wanted::Wanted;
use crate::ledger::Rejection;
use crate::partner_center::ApiError;
use crate::partner_center::decode::{DecodeError, MAX_REJECTED_BYTES, MAX_REJECTIONS};
use crate::partner_center::transport::aside::Aside;

/// What came on the way so far.
pub(super) struct Gathered {
    /// None while a page is taken in, or where that was broken off.
    pub(super) spool: Option<Spool>,
    pub(super) strays: Vec<Rejection>,
    stray_bytes: usize,
    pub(super) received: u64,
    pub(super) unwanted: u64,
    pub(super) status: u16,
    pub(super) note: Option<String>,
}

impl Gathered {
    pub(super) fn new(wanted: &Wanted) -> io::Result<Self> {
        Ok(Self {
            spool: Some(Spool::new(wanted.shares())?),
            strays: Vec::new(),
            stray_bytes: 0,
            received: 0,
            unwanted: 0,
            status: 204,
            note: None,
        })
    }

    pub(super) async fn take(
        &mut self,
        page: Page,
        wanted: Wanted,
        aside: &Aside,
    ) -> Result<(), ApiError> {
        self.received += page.received;
        self.unwanted += page.unwanted;
        self.status = self.status.min(page.status);
        for stray in page.strays {
            self.stray_bytes += stray.payload.len();
            self.strays.push(stray);
        }
        if self.strays.len() > MAX_REJECTIONS || self.stray_bytes > MAX_REJECTED_BYTES {
            return Err(DecodeError::too_many(&self.strays).into());
        }
        let mut spool = self.spool.take().ok_or(ApiError::Stopped)?;
        let push = move || {
            for item in &page.items {
                spool.push(wanted.share_of(item.customer), item)?;
            }
            Ok::<_, ApiError>(spool)
        };
        let pushed = aside.work(page.bytes, push).await;
        self.spool = Some(pushed.ok_or(ApiError::Stopped)??);
        Ok(())
    }

    /// The items, when all pages are taken in.
    pub(super) fn finish(&mut self) -> Result<Spool, ApiError> {
        let mut spool = self.spool.take().ok_or(ApiError::Stopped)?;
        spool.finish().map_err(ApiError::Spool)?;
        Ok(spool)
    }
}

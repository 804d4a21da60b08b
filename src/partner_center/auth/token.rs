//! An access token in the form in which it is sent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use crate::partner_center::redact::Redactor;

/// A token is renewed this long before it expires, or after four fifths of a shorter lifetime, so
/// that it does not expire while a call is under way.
const RENEWAL_MARGIN: Duration = Duration::from_mins(5);

/// An access token, ready to be sent.
pub(in crate::partner_center) struct Token {
    pub(in crate::partner_center) header: HeaderValue,
    secret: SecretString,
    /// Removes the token from what the API sends back.
    pub(in crate::partner_center) redactor: Redactor,
    /// None for a token that cannot be renewed.
    renew_at: Option<Instant>,
    /// The API has accepted the token at least once.
    accepted: AtomicBool,
    /// The token replaces one that the API refused.
    after_refusal: bool,
}

impl Token {
    /// None if the token has characters that a header cannot have.
    pub(super) fn new(
        secret: SecretString,
        lifetime: Option<Duration>,
        after_refusal: bool,
    ) -> Option<Self> {
        let mut header =
            HeaderValue::from_str(&format!("Bearer {}", secret.expose_secret())).ok()?;
        header.set_sensitive(true);
        Some(Self {
            header,
            redactor: Redactor::new(secret.expose_secret()),
            secret,
            renew_at: lifetime
                .map(|lifetime| Instant::now() + lifetime - RENEWAL_MARGIN.min(lifetime / 5)),
            accepted: AtomicBool::new(false),
            after_refusal,
        })
    }

    /// Records that the API accepted a call with this token.
    pub(in crate::partner_center) fn mark_accepted(&self) {
        self.accepted.store(true, Ordering::Relaxed);
    }

    pub(in crate::partner_center) fn secret(&self) -> &str {
        self.secret.expose_secret()
    }

    /// Whether the API has refused two tokens in a row, so that a third would be refused too.
    pub(super) fn is_futile_renewal(&self) -> bool {
        self.after_refusal && !self.accepted.load(Ordering::Relaxed)
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.renew_at
            .is_none_or(|renew_at| Instant::now() < renew_at)
    }
}

//! Microsoft Partner Center: the only room that sends requests to it, and that holds its tokens.
//! Knows no SQL and no schedule; answers are returned in the types of `ledger`.
//!
//! [`Client`] lives as long as the program: connections, token, rate limiter, settings. [`Session`]
//! lives as long as a run: traffic counts, retry budget, outage. Its methods are the endpoints;
//! each makes its requests with `call`, which ends in an answer or in a `RetryError<ApiError>`.
//!
//! - `endpoints`: one file for each endpoint, and the pager that they share.
//! - `call`: one logical call and its attempts, above all of these:
//!   - `auth` obtains and renews the token, and signs a person in;
//!   - `throttle` decides when a request may be sent, and which calls are retried;
//!   - `transport` is HTTP as such;
//!   - `decode` turns bodies into rows and rejections, and is pure.
//! - `error`, `advice`: what can go wrong, what mends it, and what to tell a person.
//! - `redact`: keeps the token out of everything that is stored or shown.
//!
//! Arrows run one way: `endpoints` → `call` → `session` → `client` → `error` → `auth` →
//! `transport`, `decode` → `redact`. `throttle` knows none of the others.

mod advice;
mod auth;
mod call;
mod client;
mod decode;
mod endpoints;
mod error;
mod redact;
mod session;
mod throttle;
mod transport;

pub(crate) use advice::remedy_of_status;
pub use advice::{advice, advice_for_many};
pub use auth::{
    AuthError, BrowserSignIn, ConsentFile, DeviceCode, Grant, Login, Mfa, OauthError, SignedIn,
    check_token_file,
};
pub use client::{Client, Surroundings};
pub use decode::fault::ApiFault;
pub use endpoints::FailedFetch;
pub use endpoints::partner_wide::{Bucket, PartnerWideCollection, WantedCustomers};
pub use endpoints::probe::Probed;
pub use endpoints::usage::CustomerCollection;
pub use error::ApiError;
pub use session::Session;
pub use throttle::attribution::RefusedByScope;
pub use throttle::gate::ThrottleStatus;
pub use throttle::retry_budget::Outage;
pub use transport::barrier::Barrier;
pub use transport::http::SetUpError;
pub use transport::skew::ClockSkew;

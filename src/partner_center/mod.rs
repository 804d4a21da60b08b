//! Everything Microsoft: the client with one method per endpoint. Requests go out here and nowhere
//! else, under one bound on their number and rate, and the token goes to the configured origin
//! only. Knows no SQL and no schedule; answers come back as our own types.

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

pub use advice::{advice, advice_for_many};
pub use auth::{
    AuthError, BrowserSignIn, ConsentFile, DeviceCode, Grant, Login, Mfa, OauthError, SignedIn,
    check_token_file,
};
pub use client::Client;
pub use decode::fault::ApiFault;
pub use endpoints::partner_wide::{Bucket, PartnerWideCollection, WantedCustomers};
pub use endpoints::probe::Probed;
pub use endpoints::usage::CustomerCollection;
pub use error::ApiError;
pub(crate) use error::remedy_of_status;
pub use session::Session;
pub use throttle::retry_budget::Outage;

pub use transport::barrier::Barrier;
pub use transport::http::SetUpError;
pub use transport::skew::ClockSkew;

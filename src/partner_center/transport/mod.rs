//! One call: a request, its attempts, and what became of it. The only place that sends to the API.

pub(super) mod advice;
pub(super) mod aside;
pub(super) mod barrier;
pub(super) mod call;
pub(super) mod connections;
pub(super) mod echo;
pub(super) mod encoding;
pub(super) mod error;
pub(super) mod http;
pub(super) mod skew;

//! Environment variables that are not the program's own: `network` checks those that the HTTP
//! libraries read, `traces` reads those of OpenTelemetry, and `desktop` picks those that a browser
//! needs.

pub(super) mod desktop;
pub(super) mod network;
#[cfg(feature = "otel")]
pub(super) mod traces;

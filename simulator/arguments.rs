//! The command line, and the settings that it results in.

use std::net::SocketAddr;

use chrono::NaiveDate;
use clap::Parser;

use crate::settings::{SimulatorSettings, is_certificate};

/// A stand-in for Microsoft Partner Center on this machine, with invented customers
#[derive(Debug, Parser)]
#[command(name = "seatledger-simulator", version)]
pub(crate) struct Arguments {
    /// Loopback address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = loopback)]
    pub(crate) listen: SocketAddr,

    /// How many customers the partner has
    #[arg(long, value_name = "COUNT", default_value_t = 25)]
    pub(crate) customers: u32,

    /// The seed of all invented data: the same seed gives the same customers and figures
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// The simulated day [default: the real one, UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) today: Option<NaiveDate>,

    /// Milliseconds before each answer
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,

    /// The most milliseconds that are added to the latency at random
    #[arg(long, default_value_t = 0)]
    jitter_ms: u64,

    /// Limit of API calls per second of the whole tenant; more are answered with 429
    #[arg(long, value_name = "PER_SECOND", value_parser = limit)]
    rate_limit: Option<f64>,

    /// API calls that may be made in a burst [default: one second's worth]
    #[arg(long, value_name = "CALLS", value_parser = limit)]
    burst: Option<f64>,

    /// Limit of API calls per second about one customer; more are answered with 429
    #[arg(long, value_name = "PER_SECOND", value_parser = limit)]
    customer_rate_limit: Option<f64>,

    /// Let refused calls count against the limits, too
    #[arg(long)]
    refusals_count: bool,

    /// Lifetime of access tokens in seconds
    #[arg(long, default_value_t = 3600)]
    access_token_ttl_secs: u64,

    /// Refuse a refresh token after its first use
    #[arg(long)]
    single_use_refresh_tokens: bool,

    /// PEM file with a certificate that the application may authenticate with in place of its
    /// secret
    #[arg(long, value_name = "FILE", value_parser = certificate)]
    client_certificate: Option<String>,

    /// Settings as for PATCH /_sim/settings; they override the other options
    #[arg(long, value_name = "JSON", value_parser = patch)]
    settings: Option<String>,

    /// Requests that are kept for GET /_sim/requests; 0 keeps none
    #[arg(long, value_name = "COUNT", default_value_t = 20_000)]
    pub(crate) record: usize,

    /// Stop when standard input ends, so that a killed test leaves no simulator behind
    #[arg(long)]
    pub(crate) exit_with_parent: bool,
}

impl Arguments {
    pub(crate) fn settings(&self) -> SimulatorSettings {
        let settings = SimulatorSettings {
            latency_ms: self.latency_ms,
            jitter_ms: self.jitter_ms,
            rate_limit: self.rate_limit,
            burst: self.burst,
            customer_rate_limit: self.customer_rate_limit,
            refusals_count: self.refusals_count,
            access_token_ttl_secs: self.access_token_ttl_secs,
            single_use_refresh_tokens: self.single_use_refresh_tokens,
            client_certificate: self.client_certificate.clone(),
            ..SimulatorSettings::default()
        };
        let patch = self.settings.as_deref().unwrap_or("{}");
        settings
            .merged(patch.as_bytes())
            .expect("each option was checked when it was parsed")
    }
}

fn limit(text: &str) -> Result<f64, String> {
    let limit = text.parse().ok();
    limit
        .filter(|limit: &f64| limit.is_finite() && *limit >= 0.0)
        .ok_or_else(|| "expected a number of calls, such as 50 or 0.5".to_owned())
}

fn certificate(path: &str) -> Result<String, String> {
    let pem = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    if is_certificate(&pem) {
        Ok(pem)
    } else {
        Err("the file contains no PEM certificate".to_owned())
    }
}

fn patch(text: &str) -> Result<String, String> {
    let merged = SimulatorSettings::default().merged(text.as_bytes());
    merged
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string())
}

// Control calls need no token, so no other machine may reach them.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "expected an address and a port, such as 127.0.0.1:8080".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("only a loopback address is allowed, such as 127.0.0.1:8080".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_merged_as_the_control_call_merges_them() {
        let parse =
            |json| Arguments::try_parse_from(["simulator", "--burst=7", "--settings", json]);
        let settings = parse(r#"{"rate_limit":2,"retry_after":"date"}"#)
            .unwrap()
            .settings();
        assert_eq!(
            (settings.rate_limit, settings.burst),
            (Some(2.0), Some(7.0))
        );
        assert!(parse(r#"{"rate_limit":-2}"#).is_err());
        assert!(parse("rate_limit").is_err());
        assert!(Arguments::try_parse_from(["simulator", "--rate-limit=-1"]).is_err());
    }

    #[test]
    fn only_loopback_addresses_are_accepted() {
        let parse = |address| Arguments::try_parse_from(["simulator", "--listen", address]);
        assert!(parse("127.0.0.1:0").is_ok());
        assert!(parse("[::1]:0").is_ok());
        assert!(parse("0.0.0.0:0").is_err());
        assert!(parse("localhost").is_err());
    }
}

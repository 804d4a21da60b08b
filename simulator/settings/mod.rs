//! Everything about the simulator that can be changed while it runs, by `PATCH /_sim/settings`, and
//! the check that the values make sense.

mod certificate;
mod next_link;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize, de::Error as _};

pub(crate) use self::{
    certificate::{is_certificate, registered_certificates},
    next_link::NextLinkForm,
};

/// All settings. `simulator/README.md` describes them for users.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the JSON"
)]
pub(crate) struct SimulatorSettings {
    /// The delay of each answer, and the most that is added to it at random.
    pub(crate) latency_ms: u64,
    pub(crate) jitter_ms: u64,

    /// API calls per second of the whole tenant; `None` is no limit.
    pub(crate) rate_limit: Option<f64>,
    /// The size of the token bucket in calls; `None` is one second's worth.
    pub(crate) burst: Option<f64>,
    /// The same for the calls about one customer.
    pub(crate) customer_rate_limit: Option<f64>,
    pub(crate) customer_burst: Option<f64>,
    /// Limits in place of `rate_limit`: each holds from that many seconds after this setting was
    /// set.
    pub(crate) rate_schedule: Vec<(f64, Option<f64>)>,
    /// Whether refused calls use up tokens like served ones.
    pub(crate) refusals_count: bool,
    pub(crate) retry_after: RetryAfter,

    pub(crate) access_token_ttl_secs: u64,
    pub(crate) single_use_refresh_tokens: bool,
    pub(crate) require_client_secret: bool,
    /// PEM certificates that the application may authenticate with in place of its secret.
    pub(crate) client_certificate: Option<String>,
    /// The lifetime that is stated for refresh tokens; `None` states none.
    pub(crate) refresh_token_ttl_secs: Option<u64>,
    /// The audience of access tokens; `None` takes it from the requested scope.
    pub(crate) audience: Option<String>,
    /// Whether access tokens have the claim `amr`.
    pub(crate) amr: bool,
    /// The error that the browser is redirected with; `None` is a code.
    pub(crate) authorize_error: Option<String>,
    /// The AADSTS number that every token request fails with.
    pub(crate) grant_error: Option<u32>,
    /// Whether tokens prove a multi-factor sign-in; without proof the API answers 401 with code
    /// 900421.
    pub(crate) mfa: bool,
    /// The share of calls that get this answer in spite of the proof.
    pub(crate) mfa_refused_share: f64,
    pub(crate) mfa_refused_by: MfaRefusedBy,
    /// The polls after which a device code approves itself; `None` is never.
    pub(crate) device_code_polls: Option<u32>,
    pub(crate) device_code_expires_secs: u64,
    /// How many polls of a device code are first answered with `slow_down`.
    pub(crate) device_code_slow_downs: u32,

    pub(crate) next_link: NextLinkForm,
    /// The scheme and host of a foreign next link.
    pub(crate) next_link_host: String,
    pub(crate) max_page_size: usize,
    /// The share of customers that the list still contains; `None` is all.
    pub(crate) shrink_list: Option<f64>,
    /// The code that calls about a customer that is gone are refused with.
    pub(crate) gone_answer: String,

    /// How many days back the partner-wide collections have figures for.
    pub(crate) reach_days: u32,
    /// The most rows of a partner-wide page.
    pub(crate) max_top: usize,
    pub(crate) commercial_next_link: NextLinkForm,
    /// The names of a partner-wide collection's members.
    pub(crate) rows_member: String,
    pub(crate) next_member: String,
    pub(crate) total_member: String,
    pub(crate) active_member: String,

    pub(crate) restate: Option<Restatement>,
    /// Whether product names are translated according to `X-Locale`.
    pub(crate) localized_names: bool,
    /// The day from which `renamed_product` is called `renamed_to`.
    pub(crate) renamed_from: Option<NaiveDate>,
    pub(crate) renamed_product: String,
    pub(crate) renamed_to: String,
    /// The day around which products and customers vary; `None` is a plain partner.
    pub(crate) varied_from: Option<NaiveDate>,

    pub(crate) gzip: bool,
    /// Whether API bodies begin with a UTF-8 byte order mark.
    pub(crate) bom: bool,
}

impl Default for SimulatorSettings {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            jitter_ms: 0,
            rate_limit: None,
            burst: None,
            customer_rate_limit: None,
            customer_burst: None,
            rate_schedule: Vec::new(),
            refusals_count: false,
            retry_after: RetryAfter::Seconds,
            access_token_ttl_secs: 3600,
            single_use_refresh_tokens: false,
            require_client_secret: false,
            client_certificate: None,
            refresh_token_ttl_secs: None,
            audience: None,
            amr: true,
            authorize_error: None,
            grant_error: None,
            mfa: true,
            mfa_refused_share: 0.0,
            mfa_refused_by: MfaRefusedBy::Customer,
            device_code_polls: None,
            device_code_expires_secs: 900,
            device_code_slow_downs: 0,
            next_link: NextLinkForm::WithoutV1,
            next_link_host: "https://partner-center.example".to_owned(),
            max_page_size: 500,
            shrink_list: None,
            gone_answer: "60003".to_owned(),
            reach_days: 90,
            max_top: 10_000,
            commercial_next_link: NextLinkForm::Absolute,
            rows_member: "Value".to_owned(),
            next_member: "@nextLink".to_owned(),
            total_member: "TotalCount".to_owned(),
            active_member: "licensesActive".to_owned(),
            restate: None,
            localized_names: false,
            renamed_from: None,
            renamed_product: "Microsoft 365 Business Standard".to_owned(),
            renamed_to: "Microsoft 365 Business Standard (no Teams)".to_owned(),
            varied_from: None,
            gzip: true,
            bom: false,
        }
    }
}

impl SimulatorSettings {
    /// These settings with the members of a JSON object in place of their own.
    ///
    /// # Errors
    /// When the text is not an object, or a name, a type or a value is wrong.
    pub(crate) fn merged(&self, patch: &[u8]) -> Result<Self, serde_json::Error> {
        let patch: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(patch)?;
        let mut merged = serde_json::to_value(self)?;
        for (key, value) in patch {
            merged[key] = value;
        }
        let merged: Self = serde_json::from_value(merged)?;
        match merged.problem() {
            None => Ok(merged),
            Some(problem) => Err(serde_json::Error::custom(problem)),
        }
    }

    /// What is wrong with the values, if anything.
    fn problem(&self) -> Option<String> {
        let scheduled = self.rate_schedule.iter();
        let mut rates = [
            self.rate_limit,
            self.burst,
            self.customer_rate_limit,
            self.customer_burst,
        ]
        .into_iter()
        .chain(scheduled.flat_map(|&(after, limit)| [Some(after), limit]))
        .flatten();
        if rates.any(|rate| rate < 0.0) {
            return Some("a limit, a burst or a time in seconds must not be negative".to_owned());
        }
        if !self.rate_schedule.is_sorted_by(|one, next| one.0 < next.0) {
            return Some("rate_schedule must be in ascending order of time".to_owned());
        }
        let restated = self.restate.as_ref().map(|restate| restate.share);
        let mut shares = [Some(self.mfa_refused_share), self.shrink_list, restated]
            .into_iter()
            .flatten();
        if shares.any(|share| !(0.0..=1.0).contains(&share)) {
            return Some("a share must be between 0 and 1".to_owned());
        }
        let certificate = self.client_certificate.as_deref();
        if certificate.is_some_and(|pem| !is_certificate(pem)) {
            return Some("client_certificate must be a PEM certificate".to_owned());
        }
        if self.max_top == 0 {
            return Some("max_top must be at least 1".to_owned());
        }
        let choices: [(&str, &str, &[&str]); 5] = [
            ("gone_answer", &self.gone_answer, &["60003", "20002"]),
            (
                "rows_member",
                &self.rows_member,
                &["Value", "value", "items"],
            ),
            (
                "next_member",
                &self.next_member,
                &["@nextLink", "@odata.nextLink", "nextLink", "none"],
            ),
            (
                "total_member",
                &self.total_member,
                &["TotalCount", "totalCount"],
            ),
            (
                "active_member",
                &self.active_member,
                &["licensesActive", "licenseActive"],
            ),
        ];
        choices
            .iter()
            .find(|(_, given, known)| !known.contains(given))
            .map(|(name, _, known)| format!("{name} must be one of {known:?}"))
    }
}

/// The form of the header `Retry-After` in answers with 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RetryAfter {
    Seconds,
    Date,
    None,
}

/// Whether the refused share is drawn from the customers or from the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MfaRefusedBy {
    /// All calls about some of the customers.
    Customer,
    /// Some of the calls to every endpoint.
    Request,
}

/// Figures that are corrected after they were published.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restatement {
    /// The day of the correction, which affects dates published before it.
    pub(crate) from: NaiveDate,
    /// The share of those dates that is corrected.
    pub(crate) share: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_only_what_it_names() {
        let settings = SimulatorSettings::default();
        let patched = settings
            .merged(br#"{"latency_ms":40,"next_link":"no_slash"}"#)
            .unwrap();
        assert_eq!(patched.latency_ms, 40);
        assert_eq!(patched.next_link, NextLinkForm::NoSlash);
        assert_eq!(patched.access_token_ttl_secs, 3600);
        assert!(settings.merged(br#"{"latency":40}"#).is_err());
    }

    #[test]
    fn a_value_that_makes_no_sense_is_refused() {
        for patch in [
            r#"{"rate_limit":-1}"#,
            r#"{"rate_schedule":[[10,5],[5,1]]}"#,
            r#"{"mfa_refused_share":1.5}"#,
            r#"{"restate":{"from":"2026-05-04","share":2}}"#,
            r#"{"rows_member":"rows"}"#,
            r#"{"gone_answer":"1000"}"#,
            r#"{"max_top":0}"#,
            r#"{"client_certificate":"sim-secret"}"#,
        ] {
            let refused = SimulatorSettings::default().merged(patch.as_bytes());
            assert!(refused.is_err(), "{patch}");
        }
        let taken =
            br#"{"rate_schedule":[[0,50],[60,null]],"retry_after":"date","next_member":"none"}"#;
        assert!(SimulatorSettings::default().merged(taken).is_ok());
    }
}

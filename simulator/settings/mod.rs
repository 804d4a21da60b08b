//! What may be changed while the simulator runs, by `PATCH /_sim/settings`, and what
//! of it can't be carried out.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize, de::Error as _};

/// Every setting; `simulator/README.md` lists them for the user.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the JSON"
)]
pub(crate) struct Settings {
    /// How long each answer waits, and up to how much longer by chance.
    pub(crate) latency_ms: u64,
    pub(crate) jitter_ms: u64,

    /// API calls per second for the whole tenant; `None` is no limit.
    pub(crate) rate_limit: Option<f64>,
    /// How many calls may come at once; `None` is a second's worth.
    pub(crate) burst: Option<f64>,
    /// The same for the calls about one customer.
    pub(crate) customer_rate_limit: Option<f64>,
    pub(crate) customer_burst: Option<f64>,
    /// Limits in place of `rate_limit`, each from so many seconds on after this
    /// setting was made.
    pub(crate) rate_schedule: Vec<(f64, Option<f64>)>,
    /// Whether a refused call counts against its limit like one served.
    pub(crate) refusals_count: bool,
    pub(crate) retry_after: RetryAfter,

    pub(crate) access_token_ttl_secs: u64,
    pub(crate) single_use_refresh_tokens: bool,
    pub(crate) require_client_secret: bool,
    /// The certificates that the application may use in place of its secret, as PEM.
    pub(crate) client_certificate: Option<String>,
    /// How long a refresh token is said to live; `None` says nothing.
    pub(crate) refresh_token_ttl_secs: Option<u64>,
    /// Whom access tokens are for, whatever scope is asked for.
    pub(crate) audience: Option<String>,
    /// Whether access tokens say how the person signed in.
    pub(crate) amr: bool,
    /// The error with which the browser is sent back; `None` is a code.
    pub(crate) authorize_error: Option<String>,
    /// The AADSTS number with which every token request fails.
    pub(crate) grant_error: Option<u32>,
    /// Whether tokens carry proof of multi-factor sign-in; without it the API
    /// answers 401 with code 900421.
    pub(crate) mfa: bool,
    /// The share of calls that are answered so even with that proof.
    pub(crate) mfa_refused_share: f64,
    pub(crate) mfa_refused_by: RefusedBy,
    /// After how many polls a device code approves itself; `None` is never.
    pub(crate) device_code_polls: Option<u32>,
    pub(crate) device_code_expires_secs: u64,
    /// How many polls of a device code are told to slow down first.
    pub(crate) device_code_slow_downs: u32,

    pub(crate) next_link: NextLink,
    /// Where a foreign next link leads: scheme and host.
    pub(crate) next_link_host: String,
    pub(crate) max_page_size: usize,
    /// The share of customers that the list still has; `None` is all.
    pub(crate) shrink_list: Option<f64>,
    /// How calls about a customer that is gone are refused: a code.
    pub(crate) gone_answer: String,

    /// How many days back the partner-wide collections have figures of.
    pub(crate) reach_days: u32,
    /// The most rows of a partner-wide page.
    pub(crate) max_top: usize,
    pub(crate) commercial_next_link: NextLink,
    /// How the members of a partner-wide collection are spelt.
    pub(crate) rows_member: String,
    pub(crate) next_member: String,
    pub(crate) total_member: String,
    pub(crate) active_member: String,

    pub(crate) restate: Option<Restate>,
    /// Whether product names follow `X-Locale`.
    pub(crate) localized_names: bool,
    /// The day from which one product has another name.
    pub(crate) renamed_from: Option<NaiveDate>,
    pub(crate) renamed_product: String,
    pub(crate) renamed_to: String,

    pub(crate) gzip: bool,
    /// Whether API bodies begin with a UTF-8 byte order mark.
    pub(crate) bom: bool,
}

impl Default for Settings {
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
            mfa_refused_by: RefusedBy::Customer,
            device_code_polls: None,
            device_code_expires_secs: 900,
            device_code_slow_downs: 0,
            next_link: NextLink::WithoutV1,
            next_link_host: "https://partner-center.example".to_owned(),
            max_page_size: 500,
            shrink_list: None,
            gone_answer: "60003".to_owned(),
            reach_days: 90,
            max_top: 10_000,
            commercial_next_link: NextLink::Absolute,
            rows_member: "Value".to_owned(),
            next_member: "@nextLink".to_owned(),
            total_member: "TotalCount".to_owned(),
            active_member: "licensesActive".to_owned(),
            restate: None,
            localized_names: false,
            renamed_from: None,
            renamed_product: "Microsoft 365 Business Standard".to_owned(),
            renamed_to: "Microsoft 365 Business Standard (no Teams)".to_owned(),
            gzip: true,
            bom: false,
        }
    }
}

impl Settings {
    /// These settings with some of them replaced by what a JSON object says.
    ///
    /// # Errors
    /// When the text is no object, or names, types or values are wrong.
    pub(crate) fn merged(&self, patch: &[u8]) -> Result<Self, serde_json::Error> {
        let patch: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(patch)?;
        let mut merged = serde_json::to_value(self)?;
        for (key, value) in patch {
            merged[key] = value;
        }
        let merged: Self = serde_json::from_value(merged)?;
        match merged.fault() {
            None => Ok(merged),
            Some(fault) => Err(serde_json::Error::custom(fault)),
        }
    }

    /// What is wrong with the values, if anything.
    fn fault(&self) -> Option<String> {
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
            return Some("limits, bursts and seconds are not below 0".to_owned());
        }
        if !self.rate_schedule.is_sorted_by(|one, next| one.0 < next.0) {
            return Some("rate_schedule is in order of time".to_owned());
        }
        let restated = self.restate.as_ref().map(|restate| restate.share);
        let mut shares = [Some(self.mfa_refused_share), self.shrink_list, restated]
            .into_iter()
            .flatten();
        if shares.any(|share| !(0.0..=1.0).contains(&share)) {
            return Some("a share is between 0 and 1".to_owned());
        }
        let certificate = self.client_certificate.as_deref();
        if certificate.is_some_and(|pem| !crate::sign_in::assertion::is_certificate(pem)) {
            return Some("client_certificate is a certificate in PEM".to_owned());
        }
        if self.max_top == 0 {
            return Some("max_top is at least 1".to_owned());
        }
        let spellings: [(&str, &str, &[&str]); 5] = [
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
        spellings
            .iter()
            .find(|(_, given, known)| !known.contains(given))
            .map(|(name, _, known)| format!("{name} is one of {known:?}"))
    }
}

/// How a throttled call is told when to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RetryAfter {
    Seconds,
    Date,
    None,
}

/// By what it is drawn which calls are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefusedBy {
    /// All calls about some customers.
    Customer,
    /// Some calls of every kind.
    Request,
}

/// Figures that are corrected after they were out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Restate {
    /// The day on which the corrections are made, to dates that were out before it.
    pub(crate) from: NaiveDate,
    /// The share of those dates.
    pub(crate) share: f64,
}

/// The forms in which a list has been seen to name its next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NextLink {
    WithV1,
    WithoutV1,
    NoSlash,
    Absolute,
    /// Absolute, to a host that must not be given the token.
    Foreign,
    /// The same page for ever.
    Repeat,
}

impl NextLink {
    /// A link of this form. `version` is what the path begins with, as in `v1`.
    pub(crate) fn link(
        self,
        settings: &Settings,
        origin: &str,
        version: &str,
        path: &str,
    ) -> String {
        match self {
            Self::WithV1 => format!("/{version}/{path}"),
            Self::WithoutV1 | Self::Repeat => format!("/{path}"),
            Self::NoSlash => path.to_owned(),
            Self::Absolute => format!("{origin}/{version}/{path}"),
            Self::Foreign => {
                let elsewhere = settings.next_link_host.trim_end_matches('/');
                format!("{elsewhere}/{version}/{path}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_only_what_it_names() {
        let settings = Settings::default();
        let patched = settings
            .merged(br#"{"latency_ms":40,"next_link":"no_slash"}"#)
            .unwrap();
        assert_eq!(patched.latency_ms, 40);
        assert_eq!(patched.next_link, NextLink::NoSlash);
        assert_eq!(patched.access_token_ttl_secs, 3600);
        assert!(settings.merged(br#"{"latency":40}"#).is_err());
    }

    #[test]
    fn a_value_that_means_nothing_is_refused() {
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
            let refused = Settings::default().merged(patch.as_bytes());
            assert!(refused.is_err(), "{patch}");
        }
        let taken =
            br#"{"rate_schedule":[[0,50],[60,null]],"retry_after":"date","next_member":"none"}"#;
        assert!(Settings::default().merged(taken).is_ok());
    }

    #[test]
    fn each_form_of_the_next_link_is_as_it_was_seen() {
        let link = |form: NextLink| {
            let settings = Settings {
                next_link_host: "http://other.example/".to_owned(),
                ..Settings::default()
            };
            form.link(&settings, "http://127.0.0.1:80", "v1", "customers?size=5")
        };
        assert_eq!(link(NextLink::WithV1), "/v1/customers?size=5");
        assert_eq!(link(NextLink::WithoutV1), "/customers?size=5");
        assert_eq!(link(NextLink::NoSlash), "customers?size=5");
        assert_eq!(
            link(NextLink::Absolute),
            "http://127.0.0.1:80/v1/customers?size=5"
        );
        assert_eq!(
            link(NextLink::Foreign),
            "http://other.example/v1/customers?size=5"
        );
    }
}

//! The consent of each host. Pure.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::RecordedLeader;
use crate::consent::ConsentSummary;
use crate::printable::printable;
use crate::span::counted;
use crate::store::HostConsent;

/// A host's consent, with days counted.
#[derive(Debug, Serialize)]
pub(crate) struct ShownConsent {
    pub(crate) host: String,
    #[serde(flatten)]
    pub(crate) summary: ConsentSummary,
    pub(crate) refused_at: Option<DateTime<Utc>>,
    pub(crate) refusal: Option<String>,
}

impl ShownConsent {
    fn new(known: HostConsent, now: DateTime<Utc>) -> Self {
        let (refused_at, refusal) = known.refusal.map(|it| (it.at, it.reason)).unzip();
        Self {
            host: known.host,
            summary: known.consent.summary(now),
            refused_at,
            refusal,
        }
    }
}

/// The consents, newest token first, without those of hosts that are no longer in use: a daemon,
/// standing by or not, renews its token long before it expires.
pub(crate) fn shown(consents: Vec<HostConsent>, now: DateTime<Utc>) -> Vec<ShownConsent> {
    consents
        .into_iter()
        .enumerate()
        .filter(|(place, known)| *place == 0 || known.consent.token_expires_at > now)
        .map(|(_, known)| ShownConsent::new(known, now))
        .collect()
}

/// The consent of the host that leads, or else the one that was renewed last.
pub(crate) fn main_consent<'a>(
    consents: &'a [ShownConsent],
    leader: Option<&RecordedLeader>,
) -> Option<&'a ShownConsent> {
    let host = leader.map(|leader| leader.host.as_str());
    consents
        .iter()
        .find(|consent| Some(consent.host.as_str()) == host)
        .or(consents.first())
}

/// A line for each host. It is named if there are several.
pub(crate) fn describe_consents(consents: &[ShownConsent]) -> String {
    let several = consents.len() > 1;
    let lines: Vec<String> = consents
        .iter()
        .map(|consent| {
            let on = if several {
                format!(" on {}", printable(&consent.host))
            } else {
                String::new()
            };
            format!("Consent{on}: {}", describe_consent(consent))
        })
        .collect();
    if lines.is_empty() {
        return "Consent: no sign-in is known yet".to_owned();
    }
    lines.join("\n")
}

fn describe_consent(shown: &ShownConsent) -> String {
    let ConsentSummary {
        consent,
        age_days,
        days_left,
    } = shown.summary;
    let day = |at: DateTime<Utc>| at.format("%Y-%m-%d").to_string();
    let age = counted(age_days, "day");
    let since = match consent.signed_in_at {
        Some(at) => format!("signed in on {}, {age} ago", day(at)),
        None => format!(
            "brought from elsewhere, first used on {}, {age} ago",
            day(consent.first_used_at)
        ),
    };
    if let (Some(at), Some(refusal)) = (shown.refused_at, &shown.refusal) {
        let refusal = printable(refusal);
        return format!("{since}. Signing in was refused on {}: {refusal}", day(at));
    }
    let expires = day(consent.token_expires_at);
    let until = match days_left {
        ..0 => format!("has expired on {expires}; sign in again: seatledger --config FILE login"),
        _ => format!(
            "is valid until {expires}, {}, and is renewed at every use",
            counted(days_left, "day")
        ),
    };
    format!("{since}. The refresh token {until}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::consent::Consent;
    use crate::store::SignInRefusal;

    fn noon(day: u32) -> DateTime<Utc> {
        format!("2026-05-{day:02}T12:00:00Z").parse().unwrap()
    }

    fn on(host: &str, consent: Consent) -> HostConsent {
        HostConsent {
            host: host.to_owned(),
            consent,
            refusal: None,
        }
    }

    #[test]
    fn a_consent_is_described_by_its_beginning_and_its_end() {
        let lifetime = Duration::from_hours(10 * 24);
        let given = Consent::given(noon(1), lifetime);
        let found = Consent::found(noon(1), lifetime);
        for (consent, now, words) in [
            (
                given,
                noon(3),
                "Consent: signed in on 2026-05-01, 2 days ago",
            ),
            (given, noon(3), "is valid until 2026-05-11, 8 days, and"),
            (given, noon(10), "is valid until 2026-05-11, 1 day, and"),
            (given, noon(2), "signed in on 2026-05-01, 1 day ago"),
            (given, noon(12), "has expired on 2026-05-11; sign in again"),
            (found, noon(3), "brought from elsewhere, first used on"),
        ] {
            let said = describe_consents(&shown(vec![on("web1", consent)], now));
            assert!(said.contains(words), "{said}");
        }
        assert!(describe_consents(&[]).contains("no sign-in is known"));
    }

    #[test]
    fn every_host_that_is_in_use_has_its_consent_and_the_leaders_is_the_main_consent() {
        let lifetime = Duration::from_hours(10 * 24);
        let refused = HostConsent {
            refusal: Some(SignInRefusal {
                at: noon(9),
                reason: "sign-in refused (AADSTS700082)".to_owned(),
            }),
            ..on("web2", Consent::given(noon(5), lifetime))
        };
        let known = vec![
            on("web1", Consent::given(noon(10), lifetime)),
            refused,
            on("retired", Consent::given(noon(1), lifetime)),
        ];
        let shown = shown(known, noon(12));
        let said = describe_consents(&shown);
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), 2, "{said}");
        assert!(lines[0].starts_with("Consent on web1: signed in on 2026-05-10"));
        assert!(lines[1].starts_with("Consent on web2: signed in on 2026-05-05"));
        let refusal = "Signing in was refused on 2026-05-09: sign-in refused (AADSTS700082)";
        assert!(lines[1].ends_with(refusal), "{said}");
        let host = |leader| main_consent(&shown, leader).unwrap().host.clone();
        assert_eq!(host(None), "web1");
        let leader = RecordedLeader {
            host: "web2".to_owned(),
            since: noon(1),
            renewed_at: noon(2),
        };
        assert_eq!(host(Some(&leader)), "web2");
    }
}

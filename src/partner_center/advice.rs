//! What the API's refusals mean and what mends them: by the API's own code, else by the status.

use crate::retry::Remedy;

/// What a code means and what to do about it. Each of these needs a person to act.
fn advice_on_code(code: &str) -> Option<&'static str> {
    Some(match code {
        "900421" | "10001" => {
            "the token carries no proof of multi-factor authentication; sign in again with it: \
             seatledger --config FILE login"
        }
        "900420" => {
            "the token is for another audience; auth.scope must be Partner Center's, not that of \
             Azure AD Graph"
        }
        "900329" => {
            "these calls are not open to an application alone; set auth.method = \
             \"refresh_token\" and sign in as a user: seatledger --config FILE login"
        }
        "900309" => {
            "a Conditional Access policy of the partner's tenant blocks the sign-in; have the \
             policy admit this app, then sign in again: seatledger --config FILE login"
        }
        "900308" | "2032" | "900150" | "1002" => {
            "the role of the user who signed in is too small; give that user a role in Partner \
             Center that may read the customers' analytics, such as Admin agent"
        }
        "20002" => {
            "there is no commerce relationship with the customer; if it left, take it off the \
             list or exclude it"
        }
        _ => return None,
    })
}

/// What a refusal means and what to do about it. `status` is the answer's, `code` the API's own, if
/// it gave one.
#[must_use]
pub fn advice(status: Option<u16>, code: Option<&str>) -> &'static str {
    if let Some(advice) = code.and_then(advice_on_code) {
        return advice;
    }
    match status {
        Some(404) => {
            "neither path nor customers are known there; compare partner_center.base_url with the \
             documentation, and the customers with those of the tenant that signed in"
        }
        Some(403) => {
            "the user or app that signed in may not read this; check its role in Partner Center, \
             and that it is not an application alone"
        }
        Some(501) => {
            "this is not available there; licence analytics is not promised outside the worldwide \
             cloud"
        }
        Some(401) => {
            "check that the user who signed in may read analytics and signed in with multi-factor \
             authentication, and that auth.scope is Partner Center's, then sign in again: \
             seatledger --config FILE login"
        }
        Some(429) => {
            "the partner's limit is used up; lower partner_center.max_requests_per_second, or \
             have other tools of the same tenant ask less"
        }
        _ => "look the code up in Partner Center's list of REST error codes",
    }
}

/// As [`advice`], for a reason for which most customers are refused: the advice about a single
/// customer would be wrong there.
#[must_use]
pub fn advice_for_many(status: Option<u16>, code: Option<&str>) -> &'static str {
    match code {
        Some("20002") => {
            "there is no commerce relationship with the customers that were asked for; so many at \
             once have rarely left: compare the tenant of the user who signed in, and \
             auth.tenant_id, with the partner whose customers these are"
        }
        _ => advice(status, code),
    }
}

/// What mends a refusal: a person, if the API names a known reason or answers 403. Anything else
/// may pass by itself: an API that is out of order has been seen to answer with 400, 401 and 404.
pub(crate) fn remedy_of_status(status: Option<u16>, code: Option<&str>) -> Remedy {
    if status == Some(403) || code.and_then(advice_on_code).is_some() {
        Remedy::Person
    } else {
        Remedy::Time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_decides_before_the_status_and_an_unknown_one_does_not() {
        for (status, code, words, remedy) in [
            (
                400,
                Some("900421"),
                "no proof of multi-factor",
                Remedy::Person,
            ),
            (401, Some("2032"), "role of the user", Remedy::Person),
            (403, Some("7"), "may not read this", Remedy::Person),
            (
                404,
                Some("1000"),
                "neither path nor customers",
                Remedy::Time,
            ),
            (401, None, "then sign in again", Remedy::Time),
            (400, None, "look the code up", Remedy::Time),
        ] {
            let told = advice(Some(status), code);
            assert!(told.contains(words), "{status} {code:?}: {told}");
            assert_eq!(
                remedy_of_status(Some(status), code),
                remedy,
                "{status} {code:?}"
            );
        }
        assert!(advice(None, Some("20002")).contains("if it left"));
        assert!(advice_for_many(None, Some("20002")).contains("rarely left"));
    }
}

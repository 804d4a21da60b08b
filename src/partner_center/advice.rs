//! The API's codes in plain words, with what to do about each.

/// What a refusal means and what to do about it. `status` is the answer's, `code` the API's own,
/// where it gave one.
#[must_use]
pub fn advice(status: Option<u16>, code: Option<&str>) -> &'static str {
    match (status, code) {
        (_, Some("900421" | "10001")) => {
            "the token carries no proof of multi-factor authentication; sign in again with it: seatledger --config FILE login"
        }
        (_, Some("900420")) => {
            "the token is for another audience; auth.scope must be Partner Center's, not that of Azure AD Graph"
        }
        (_, Some("900329")) => {
            "these calls are not open to an application alone; set auth.method = \"refresh_token\" and sign in as a user: seatledger --config FILE login"
        }
        (_, Some("900309")) => {
            "a Conditional Access policy of the partner's tenant blocks the sign-in; have the policy admit this app, then sign in again: seatledger --config FILE login"
        }
        (_, Some("900308" | "2032" | "900150" | "1002")) => {
            "the role of the user who signed in is too small; give that user a role in Partner Center that may read the customers' analytics, such as Admin agent"
        }
        (_, Some("20002")) => {
            "there is no commerce relationship with the customer; if it left, take it off the list or exclude it"
        }
        (Some(404), _) => {
            "neither path nor customers are known there; compare partner_center.base_url with the documentation, and the customers with those of the tenant that signed in"
        }
        (Some(403), _) => {
            "the user or app that signed in may not read this; check its role in Partner Center, and that it is not an application alone"
        }
        (Some(501), _) => {
            "this is not available there; licence analytics is not promised outside the worldwide cloud"
        }
        (Some(401), _) => {
            "check that the user who signed in may read analytics and signed in with multi-factor authentication, and that auth.scope is Partner Center's, then sign in again: seatledger --config FILE login"
        }
        (Some(429), _) => {
            "the partner's limit is used up; lower partner_center.max_requests_per_second, or have other tools of the same tenant ask less"
        }
        _ => "look the code up in Partner Center's list of REST error codes",
    }
}

/// As [`advice`], where most customers are refused alike: what would be said of one does not fit
/// then.
#[must_use]
pub fn advice_for_many(status: Option<u16>, code: Option<&str>) -> &'static str {
    match (status, code) {
        (_, Some("20002")) => {
            "there is no commerce relationship with the customers that were asked for; so many at once have rarely left: compare the tenant of the user who signed in, and auth.tenant_id, with the partner whose customers these are"
        }
        _ => advice(status, code),
    }
}

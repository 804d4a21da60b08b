//! Why a customer needs a person, and why an item is no row, in plain words, and what to do. Pure.

/// What is wrong with a customer.
pub(crate) struct Trouble {
    pub(crate) words: &'static str,
    pub(crate) action: &'static str,
}

const PASSES: &str = "the next run asks for it first; if it stays for days, give the ids of its \
                      failures to Microsoft's support: seatledger support";

/// By the state of the customer and the name of the `FailureReason`.
pub(crate) fn trouble(state: &str, reason: Option<&str>) -> Trouble {
    let (words, action) = match reason {
        _ if state == "stale" => (
            "no run fetches it any more",
            "put it back on the list of customers, or leave it: its history stays",
        ),
        Some("unauthorized") => (
            "the sign-in is not accepted for it",
            "sign in again with multi-factor authentication: seatledger login",
        ),
        Some("forbidden") => (
            "access to it is refused",
            "check its relationship with the partner and the role of the user who signs in; if it \
             has left, put it into customers.exclude",
        ),
        Some("not_found") => (
            "Partner Center does not know it",
            "check its id; if it has left, put it into customers.exclude",
        ),
        Some("throttled") => (
            "the limit of requests was used up",
            "the next run asks for it first; if it stays, lower \
             partner_center.max_requests_per_second",
        ),
        Some("server_error") => ("Partner Center has a fault", PASSES),
        Some("timeout") => ("Partner Center gave no answer in time", PASSES),
        Some("connection") => (
            "the connection failed",
            "check the network and the proxy: seatledger check",
        ),
        Some("invalid_response") => ("its answer cannot be used", PASSES),
        Some("response_too_large") => (
            "its answer is too large",
            "raise partner_center.max_response_bytes",
        ),
        Some("database") => (
            "the database refused its rows",
            "read its last_failure_detail in the view customer_freshness",
        ),
        Some("interrupted") => (
            "the run was stopped before it was done",
            "the next run asks for it first",
        ),
        Some(_) => (
            "it failed",
            "read its last_failure_detail in the view customer_freshness",
        ),
        None => ("no run has reached it yet", "the next run asks for it"),
    };
    Trouble { words, action }
}

/// Why an item could not become a row, by the name of the `RejectionReason`.
pub(crate) fn rejection(reason: &str) -> &'static str {
    match reason {
        "missing_field" => "a key field or a count is missing or blank",
        "invalid_value" => "a field has a value that cannot be read",
        "out_of_range" => "its date is before 2000 or more than two days ahead",
        "duplicate_key" => "a later item has the same key and other values",
        "wrong_customer" => "it names another customer",
        "not_storable" => "a text has U+0000 or is over 512 characters long",
        _ => "it could not become a row",
    }
}

//! Why an item could not become a row, and why a customer failed. The names are an interface.

use serde::Serialize;

/// Why an item could not become a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionReason {
    /// A key field or a count is missing, null or blank.
    MissingField,
    /// A field has the wrong type or an unreadable value.
    InvalidValue,
    /// A date before 2000 or more than two days ahead.
    OutOfRange,
    /// A later item of the collection has the same key and different values.
    DuplicateKey,
    /// The item names another customer as its owner.
    WrongCustomer,
    /// Postgres cannot store the text.
    NotStorable,
}

impl RejectionReason {
    /// The name in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingField => "missing_field",
            Self::InvalidValue => "invalid_value",
            Self::OutOfRange => "out_of_range",
            Self::DuplicateKey => "duplicate_key",
            Self::WrongCustomer => "wrong_customer",
            Self::NotStorable => "not_storable",
        }
    }
}

/// Why a customer's collection was not stored in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// 401, also with a renewed token.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 429 until the retries were used up.
    Throttled,
    /// 5xx until the retries were used up.
    ServerError,
    /// No complete answer in time, or 408.
    Timeout,
    /// No connection, or it broke.
    Connection,
    /// The answer is not a usage collection.
    InvalidResponse,
    /// The answer has more bytes than `partner_center.max_response_bytes`.
    ResponseTooLarge,
    /// Postgres refused the rows.
    Database,
    /// The program was stopped while the customer was being fetched.
    Interrupted,
    /// Any other status, such as 400.
    Other,
}

impl FailureReason {
    /// Whether a failure with this last status is a refusal by role, path or sign-in: one whose
    /// cause nearly all customers share, and which asking again does not change.
    #[must_use]
    pub fn is_refusal(self, http_status: Option<u16>) -> bool {
        matches!(self, Self::Unauthorized | Self::Forbidden | Self::NotFound)
            || http_status == Some(501)
    }

    /// The name in the table and in the summary.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Throttled => "throttled",
            Self::ServerError => "server_error",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::InvalidResponse => "invalid_response",
            Self::ResponseTooLarge => "response_too_large",
            Self::Database => "database",
            Self::Interrupted => "interrupted",
            Self::Other => "other",
        }
    }
}

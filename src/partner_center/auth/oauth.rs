//! The error names of OAuth and of Microsoft's sign-in service, and what each means if no AADSTS
//! code says more. Messages hold only these names: the description in a response may name a person,
//! and a hostile response could echo what we sent.

use super::aadsts::{Diagnosis, UserAction};

/// The `error` field of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OauthError {
    /// `access_denied`
    AccessDenied,
    /// `authorization_declined`
    AuthorizationDeclined,
    /// `authorization_pending`
    AuthorizationPending,
    /// `bad_verification_code`
    BadVerificationCode,
    /// `consent_required`
    ConsentRequired,
    /// `expired_token`
    ExpiredToken,
    /// `interaction_required`
    InteractionRequired,
    /// `invalid_client`
    InvalidClient,
    /// `invalid_grant`
    InvalidGrant,
    /// `invalid_request`
    InvalidRequest,
    /// `invalid_resource`
    InvalidResource,
    /// `invalid_scope`
    InvalidScope,
    /// `invalid_target`
    InvalidTarget,
    /// `login_required`
    LoginRequired,
    /// `server_error`
    ServerError,
    /// `slow_down`
    SlowDown,
    /// `temporarily_unavailable`
    TemporarilyUnavailable,
    /// `unauthorized_client`
    UnauthorizedClient,
    /// `unsupported_grant_type`
    UnsupportedGrantType,
    /// `unsupported_response_type`
    UnsupportedResponseType,
    /// Any other.
    Unknown,
}

const NAMES: [(&str, OauthError); 20] = [
    ("access_denied", OauthError::AccessDenied),
    ("authorization_declined", OauthError::AuthorizationDeclined),
    ("authorization_pending", OauthError::AuthorizationPending),
    ("bad_verification_code", OauthError::BadVerificationCode),
    ("consent_required", OauthError::ConsentRequired),
    ("expired_token", OauthError::ExpiredToken),
    ("interaction_required", OauthError::InteractionRequired),
    ("invalid_client", OauthError::InvalidClient),
    ("invalid_grant", OauthError::InvalidGrant),
    ("invalid_request", OauthError::InvalidRequest),
    ("invalid_resource", OauthError::InvalidResource),
    ("invalid_scope", OauthError::InvalidScope),
    ("invalid_target", OauthError::InvalidTarget),
    ("login_required", OauthError::LoginRequired),
    ("server_error", OauthError::ServerError),
    ("slow_down", OauthError::SlowDown),
    (
        "temporarily_unavailable",
        OauthError::TemporarilyUnavailable,
    ),
    ("unauthorized_client", OauthError::UnauthorizedClient),
    ("unsupported_grant_type", OauthError::UnsupportedGrantType),
    (
        "unsupported_response_type",
        OauthError::UnsupportedResponseType,
    ),
];

impl OauthError {
    pub(super) fn from_name(name: &str) -> Self {
        let known = NAMES.iter().find(|(known, _)| *known == name.trim());
        known.map_or(Self::Unknown, |(_, error)| *error)
    }

    pub(super) fn name(self) -> &'static str {
        let known = NAMES.iter().find(|(_, error)| *error == self);
        known.map_or("unknown error", |(name, _)| name)
    }

    /// What the error means without an AADSTS code.
    pub(super) fn diagnosis(self) -> Diagnosis {
        match self {
            Self::ServerError => Diagnosis::Transient("the sign-in service has a fault of its own"),
            Self::TemporarilyUnavailable => Diagnosis::Transient("it asks to try again later"),
            Self::AuthorizationPending | Self::SlowDown => {
                Diagnosis::Other("the person has not signed in yet", UserAction::SignIn)
            }
            Self::InvalidGrant => Diagnosis::Grant("is no longer accepted"),
            Self::ExpiredToken => Diagnosis::Grant("has expired"),
            Self::InteractionRequired | Self::LoginRequired => {
                Diagnosis::Other("a person has to sign in", UserAction::SignIn)
            }
            Self::ConsentRequired => {
                Diagnosis::Other("nobody has consented to this app yet", UserAction::Consent)
            }
            Self::AccessDenied | Self::AuthorizationDeclined => Diagnosis::Other(
                "the person declined, or may not consent to this app",
                UserAction::SignIn,
            ),
            Self::BadVerificationCode => {
                Diagnosis::Other("the code that was entered is unknown", UserAction::SignIn)
            }
            Self::InvalidClient => Diagnosis::Other(
                "the app's credentials were refused",
                UserAction::ReplaceCredential,
            ),
            Self::UnauthorizedClient => Diagnosis::Other(
                "the app may not use this sign-in method",
                UserAction::CheckApp,
            ),
            Self::InvalidScope | Self::InvalidResource | Self::InvalidTarget => {
                Diagnosis::Other("the scope was refused", UserAction::CheckScope)
            }
            Self::UnsupportedGrantType | Self::UnsupportedResponseType => Diagnosis::Other(
                "the sign-in service does not support this sign-in method",
                UserAction::CheckAuthority,
            ),
            Self::InvalidRequest | Self::Unknown => Diagnosis::Other(
                "Microsoft's sign-in service refused",
                UserAction::LookUpCode,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_own_name() {
        for (name, error) in NAMES {
            assert_eq!(OauthError::from_name(name), error);
            assert_eq!(error.name(), name);
        }
        assert_eq!(OauthError::from_name("\u{1b}[2J"), OauthError::Unknown);
    }
}

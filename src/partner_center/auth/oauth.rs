//! The errors of OAuth and of Microsoft's sign-in service, and what each means where no code of
//! Microsoft's says more. Only these words are passed on: a description may name a person, and a
//! hostile answer could echo what we sent.

use super::aadsts::{Meaning, Remedy};

/// An error by its name.
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
    pub(super) fn named(name: &str) -> Self {
        let known = NAMES.iter().find(|(known, _)| *known == name.trim());
        known.map_or(Self::Unknown, |(_, error)| *error)
    }

    pub(super) fn name(self) -> &'static str {
        let known = NAMES.iter().find(|(_, error)| *error == self);
        known.map_or("unknown error", |(name, _)| name)
    }

    /// What it means by itself.
    pub(super) fn meaning(self) -> Meaning {
        match self {
            Self::ServerError => Meaning::Passing("the sign-in service has a fault of its own"),
            Self::TemporarilyUnavailable => Meaning::Passing("it asks to come again later"),
            Self::AuthorizationPending | Self::SlowDown => {
                Meaning::Other("the person has not signed in yet", Remedy::SignIn)
            }
            Self::InvalidGrant => Meaning::Grant("is no longer accepted"),
            Self::ExpiredToken => Meaning::Grant("has expired"),
            Self::InteractionRequired | Self::LoginRequired => {
                Meaning::Other("a person has to sign in", Remedy::SignIn)
            }
            Self::ConsentRequired => {
                Meaning::Other("nobody has consented to this app yet", Remedy::Consent)
            }
            Self::AccessDenied | Self::AuthorizationDeclined => Meaning::Other(
                "the person declined, or may not consent to this app",
                Remedy::SignIn,
            ),
            Self::BadVerificationCode => {
                Meaning::Other("the code that was typed is not known", Remedy::SignIn)
            }
            Self::InvalidClient => {
                Meaning::Other("the app's credentials were refused", Remedy::Credentials)
            }
            Self::UnauthorizedClient => {
                Meaning::Other("the app may not use this kind of sign-in", Remedy::App)
            }
            Self::InvalidScope | Self::InvalidResource | Self::InvalidTarget => {
                Meaning::Other("the scope was refused", Remedy::Scope)
            }
            Self::UnsupportedGrantType | Self::UnsupportedResponseType => Meaning::Other(
                "the sign-in service does not know this kind of sign-in",
                Remedy::Authority,
            ),
            Self::InvalidRequest | Self::Unknown => {
                Meaning::Other("Microsoft's sign-in service refused", Remedy::LookUp)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_name_of_its_own() {
        for (name, error) in NAMES {
            assert_eq!(OauthError::named(name), error);
            assert_eq!(error.name(), name);
        }
        assert_eq!(OauthError::named("\u{1b}[2J"), OauthError::Unknown);
    }
}

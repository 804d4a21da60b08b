//! Interprets an error response: whether the fault is transient, what was refused and why, and what
//! a person has to do in this installation.

use super::aadsts::{self, Diagnosis, UserAction};
use super::oauth::OauthError;
use super::response::TokenResponse;
use crate::config::{App, ClientCredential};

/// The authorization grant of a request, which a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// The token of an earlier sign-in.
    RefreshToken,
    /// The code that a browser's redirect brought.
    AuthorizationCode,
    /// The code that a person approves on another device.
    DeviceCode,
    /// The application's own credential.
    ClientCredentials,
    /// The sign-in has only begun.
    NoneYet,
}

impl Grant {
    fn name(self) -> &'static str {
        match self {
            Self::RefreshToken => "the refresh token",
            Self::AuthorizationCode => "the authorization code of this sign-in",
            Self::DeviceCode => "the device code of this sign-in",
            Self::ClientCredentials => "the app's sign-in",
            Self::NoneYet => "the sign-in",
        }
    }
}

/// A response that reports an error.
pub(super) struct ErrorResponse<'a> {
    pub(super) error: OauthError,
    pub(super) body: &'a TokenResponse,
    /// The response said when to try again.
    pub(super) has_retry_after: bool,
}

/// What an error response means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Interpretation {
    Transient {
        what: String,
        /// Trying again soon would prolong the fault.
        is_throttled: bool,
    },
    Refused {
        code: String,
        meaning: String,
        remedy: String,
    },
}

/// The order of trust: AADSTS codes and the error name that are known to be transient; then any
/// known AADSTS code; then a response that itself says that it is transient; then the error name.
pub(super) fn interpret(response: &ErrorResponse<'_>, grant: Grant, app: &App) -> Interpretation {
    let ErrorResponse {
        error,
        body,
        has_retry_after,
    } = response;
    let codes = body.aadsts();
    let code = match codes.first() {
        Some(code) => format!("{}, AADSTS{code}", error.name()),
        None => error.name().to_owned(),
    };
    // If one of several codes is transient, it is the cause of the others.
    let is_transient = |diagnosis: &Diagnosis| {
        matches!(diagnosis, Diagnosis::Transient(_) | Diagnosis::Throttled(_))
    };
    let by_code = || codes.iter().filter_map(|code| aadsts::diagnosis(*code));
    let by_name = error.diagnosis();
    let diagnosis = by_code()
        .find(is_transient)
        .or_else(|| Some(by_name).filter(is_transient))
        .or_else(|| by_code().next())
        .unwrap_or(by_name);
    let is_known_code = by_code().next().is_some();
    let (meaning, action) = match diagnosis {
        Diagnosis::Transient(what) | Diagnosis::Throttled(what) => {
            return Interpretation::Transient {
                what: format!("{what} ({code})"),
                is_throttled: matches!(diagnosis, Diagnosis::Throttled(_)),
            };
        }
        _ if !is_known_code && (*has_retry_after || body.is_described_as_transient()) => {
            return Interpretation::Transient {
                what: format!("it asks to try again later ({code})"),
                is_throttled: false,
            };
        }
        Diagnosis::Grant(what) => (format!("{} {what}", grant.name()), UserAction::SignIn),
        Diagnosis::Other(what, action) => (what.to_owned(), action),
    };
    Interpretation::Refused {
        code,
        meaning,
        remedy: instruction(action, grant, app),
    }
}

/// `action` in words that fit the grant, and the place where this installation has its credential.
fn instruction(action: UserAction, grant: Grant, app: &App) -> String {
    let sign_in = match grant {
        Grant::RefreshToken => "sign in again: seatledger --config FILE login",
        Grant::AuthorizationCode | Grant::DeviceCode | Grant::NoneYet => {
            "begin again: seatledger --config FILE login"
        }
        Grant::ClientCredentials => "check the app's registration in Microsoft Entra ID",
    };
    let words = match action {
        UserAction::SignIn => sign_in,
        UserAction::SignInAsAnother => {
            "sign in again as another user: seatledger --config FILE login"
        }
        UserAction::Consent => match grant {
            Grant::ClientCredentials => {
                "have an administrator grant the app its permissions in Microsoft Entra ID"
            }
            Grant::RefreshToken | Grant::AuthorizationCode | Grant::DeviceCode | Grant::NoneYet => {
                "sign in again and consent, or have an administrator consent: \
                 seatledger --config FILE login"
            }
        },
        UserAction::ChangePolicy => {
            return format!("have the policy allow this app from this machine, then {sign_in}");
        }
        UserAction::CheckApp => {
            "compare auth.tenant_id and auth.client_id with the app registration"
        }
        UserAction::CheckAuthority => {
            "compare auth.authority and partner_center.cloud with the tenant's cloud"
        }
        UserAction::CheckScope => "compare auth.scope and auth.tenant_id with the app registration",
        UserAction::RegisterRedirectUri => {
            "register the redirect URI http://localhost with the app in Microsoft Entra ID"
        }
        UserAction::ReplaceSecret => return replace_secret(app),
        UserAction::AddCredential => "set auth.client_secret or auth.client_certificate_file",
        UserAction::RemoveCredential => {
            "register the redirect URI http://localhost for the platform Web, or remove \
             auth.client_secret and auth.client_certificate_file"
        }
        UserAction::ReplaceCredential => match &app.credential {
            Some(ClientCredential::CertificateFile(_)) => return register_certificate(app),
            Some(ClientCredential::Secret(_)) => return replace_secret(app),
            None => "set auth.client_secret or auth.client_certificate_file",
        },
        UserAction::RegisterCertificate => return register_certificate(app),
        UserAction::CheckClock => "check this machine's clock, auth.authority and auth.tenant_id",
        UserAction::LookUpCode => "look the code up in Microsoft's list of sign-in error codes",
    };
    words.to_owned()
}

fn replace_secret(app: &App) -> String {
    let place = app.credential_place.as_deref();
    let place = place.unwrap_or("auth.client_secret");
    format!(
        "create a new client secret in Microsoft Entra ID, put its value into {place}, and restart \
         seatledger"
    )
}

fn register_certificate(app: &App) -> String {
    let place = app.credential_place.as_deref();
    let place = place.unwrap_or("auth.client_certificate_file");
    format!(
        "register the certificate with the app in Microsoft Entra ID, or put the right one into \
         {place}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;

    fn app(place: Option<&str>) -> App {
        App {
            tenant_id: "t".to_owned(),
            client_id: "c".to_owned(),
            credential: Some(ClientCredential::Secret(SecretString::from("s"))),
            credential_place: place.map(str::to_owned),
        }
    }

    fn interpreted(error: &str, codes: &[u32], grant: Grant, waits: bool) -> Interpretation {
        let body = serde_json::json!({ "error": error, "error_codes": codes });
        let body: TokenResponse = serde_json::from_value(body).unwrap();
        let place = "the systemd credential client_secret";
        let response = ErrorResponse {
            error: OauthError::from_name(error),
            body: &body,
            has_retry_after: waits,
        };
        interpret(&response, grant, &app(Some(place)))
    }

    fn is_transient(error: &str, codes: &[u32], waits: bool) -> bool {
        let interpretation = interpreted(error, codes, Grant::RefreshToken, waits);
        matches!(interpretation, Interpretation::Transient { .. })
    }

    #[test]
    fn transient_faults_are_never_refusals() {
        for code in [
            40_010, 50_000, 50_033, 50_053, 50_087, 50_088, 50_166, 50_196, 70_012, 80_002, 90_006,
            90_012, 90_024, 90_025, 90_033, 90_036, 90_055, 90_090, 90_091,
        ] {
            for error in ["invalid_grant", "invalid_client", "unknown"] {
                assert!(is_transient(error, &[code], false), "{error} {code}");
            }
        }
        for error in ["server_error", "temporarily_unavailable"] {
            for codes in [&[][..], &[7_777_777], &[50_173]] {
                assert!(is_transient(error, codes, false), "{error} {codes:?}");
            }
        }
        assert!(is_transient("invalid_grant", &[50_173, 90_033], false));
        // A Retry-After header counts unless the code is known to be permanent.
        assert!(is_transient("invalid_request", &[7_777_777], true));
        assert!(!is_transient("invalid_grant", &[50_173], true));
        for codes in [&[][..], &[7_777_777], &[700_082], &[50_076]] {
            assert!(!is_transient("invalid_grant", codes, false), "{codes:?}");
        }
    }

    #[test]
    fn a_description_of_a_transient_fault_counts_if_the_code_is_unknown() {
        for (description, transient) in [
            (
                "AADSTS7777777: A transient error has occurred. Please try again.",
                true,
            ),
            (
                "AADSTS7777777: The service is temporarily unavailable.",
                true,
            ),
            ("AADSTS7777777: This is not so.", false),
            (
                "AADSTS50173: revoked. A transient error has occurred.",
                false,
            ),
        ] {
            let body = serde_json::json!({ "error_description": description });
            let body: TokenResponse = serde_json::from_value(body).unwrap();
            let response = ErrorResponse {
                error: OauthError::InvalidGrant,
                body: &body,
                has_retry_after: false,
            };
            let interpretation = interpret(&response, Grant::RefreshToken, &app(None));
            let is_transient = matches!(interpretation, Interpretation::Transient { .. });
            assert_eq!(is_transient, transient, "{description}");
        }
    }

    #[test]
    fn a_refusal_names_the_grant() {
        for (grant, word) in [
            (Grant::RefreshToken, "refresh token"),
            (Grant::AuthorizationCode, "authorization code"),
            (Grant::DeviceCode, "device code"),
        ] {
            for codes in [&[][..], &[70_008], &[70_000]] {
                let Interpretation::Refused { meaning, .. } =
                    interpreted("invalid_grant", codes, grant, false)
                else {
                    panic!("{grant:?} is transient");
                };
                assert!(meaning.contains(word), "{meaning}");
            }
        }
    }

    #[test]
    fn the_advice_names_the_place_where_the_secret_is_configured() {
        for code in [7_000_222, 7_000_215] {
            let interpretation =
                interpreted("invalid_client", &[code], Grant::ClientCredentials, false);
            let Interpretation::Refused { remedy, .. } = interpretation else {
                panic!("{code} is transient");
            };
            assert!(
                remedy.contains("the systemd credential client_secret"),
                "{remedy}"
            );
            assert!(!remedy.contains("auth.client_secret"), "{remedy}");
        }
    }
}

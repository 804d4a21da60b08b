//! What Microsoft's AADSTS codes mean, and what a person has to do about each. Numbers and names
//! are from Microsoft's reference of authentication and authorization error codes; which of them
//! are transient is our reading of it.

/// What a code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Diagnosis {
    /// The fault passes, or Microsoft has to fix it.
    Transient(&'static str),
    /// The fault passes after some time; asking sooner would prolong it.
    Throttled(&'static str),
    /// The grant is not accepted. The words follow its name, such as "the refresh token".
    Grant(&'static str),
    /// Anything else, and what a person has to do.
    Other(&'static str, UserAction),
}

/// What a person has to do. `refusal` puts it into words that fit this installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UserAction {
    SignIn,
    SignInAsAnother,
    Consent,
    ChangePolicy,
    CheckApp,
    CheckAuthority,
    CheckScope,
    RegisterRedirectUri,
    ReplaceSecret,
    /// Configure a secret or a certificate.
    AddCredential,
    /// Configure neither secret nor certificate.
    RemoveCredential,
    /// Replace the secret or the certificate, whichever is configured.
    ReplaceCredential,
    RegisterCertificate,
    CheckClock,
    LookUpCode,
}

/// Looks up the number after `AADSTS`. None if this table does not have it.
pub(super) fn diagnosis(code: u32) -> Option<Diagnosis> {
    transient(code)
        .or_else(|| about_grant(code))
        .or_else(|| about_user(code))
        .or_else(|| about_app(code))
}

fn transient(code: u32) -> Option<Diagnosis> {
    use Diagnosis::{Throttled, Transient};
    Some(match code {
        // OAuth2IdPRetryableServerError.
        40_010 => Transient("the federated identity provider has a fault of its own"),
        // TokenIssuanceError; MsodsServiceUnretryableFailure and GraphNonRetryableError, which may
        // recur but which no user can fix; a request that reached the backup service without its
        // gateway; MsaServerError.
        50_000 | 90_036 | 90_092 | 230_109 | 70_012 => {
            Transient("the sign-in service has a fault of its own")
        }
        // RetryableError, SasRetryableError, ExternalServerRetryableError, RequestTimeout,
        // RequestBudgetExceededError, too many hops through the gateway,
        // MsodsServiceUnavailable, GraphRetryableError, GraphServiceUnreachable,
        // TemporaryRedirect.
        50_033 | 50_087 | 90_006 | 90_012 | 90_024 | 90_025 | 90_033 | 90_090 | 90_091 | 51_005 => {
            Transient("it has a transient fault and asks to try again later")
        }
        // The tenant is still being created.
        90_085 => Transient("the tenant is not ready yet"),
        // Pass-through authentication on the tenant's own servers: OnPremiseStoreIsNotAvailable,
        // RequestTimedout, UnpredictableWebException, ErrorOccurredOnPrem,
        // AuthenticationAgentTimeout.
        80_001 | 80_002 | 80_005 | 80_007 | 80_014 => {
            Transient("the tenant's own authentication agents do not respond")
        }
        // TenantThrottlingError, ExternalClaimsProviderThrottled, the limit on calls for a second
        // factor.
        90_055 | 50_166 | 50_088 => Throttled("it is throttling the tenant"),
        // LoopDetected: too many identical requests, which the service takes for a loop.
        50_196 => Throttled("it has received too many identical requests in a short time"),
        // IdsLocked: the account is locked for minutes after wrong passwords, or the client's IP
        // address is blocked.
        50_053 => Throttled(
            "the account is locked for some minutes, or sign-ins from this IP address are \
             blocked; the tenant's sign-in logs say which",
        ),
        _ => return None,
    })
}

/// Codes about a refresh token, or about the code of a sign-in under way.
fn about_grant(code: u32) -> Option<Diagnosis> {
    use Diagnosis::Grant;
    Some(match code {
        700_082 => Grant("has expired because it was not used for 90 days"),
        // ExpiredOrRevokedGrant, also of a single-page app; CodeExpired; a flow token that has
        // expired.
        70_008 | 700_081 | 700_084 | 70_019 | 50_089 => Grant("has expired"),
        // FreshTokenNeeded, SsoArtifactInvalidOrExpired, SsoArtifactRevoked.
        50_173 | 50_132 | 50_133 => Grant("was revoked, for example by a changed password"),
        70_043 | 70_044 => Grant("was ended by the tenant's sign-in frequency policy"),
        70_000 => Grant("is not valid"),
        54_005 => Grant("was redeemed before"),
        // A wrong PKCE verifier or challenge; a code of another tenant.
        501_481 | 50_147 | 501_491 | 700_005 => Grant("belongs to another sign-in"),
        // InvalidUserCode; a device code that was approved or declined before.
        90_119 | 90_120 | 70_018 => Grant("is unknown or was used before"),
        _ => return None,
    })
}

/// Codes about the user who signs in, and about the tenant's policies and consent.
fn about_user(code: u32) -> Option<Diagnosis> {
    use Diagnosis::Other;
    Some(match code {
        50_076 | 50_079 | 50_072 | 50_074 => Other(
            "multi-factor authentication is required and was not used",
            UserAction::SignIn,
        ),
        50_078 => Other(
            "the multi-factor authentication has expired under the tenant's policy",
            UserAction::SignIn,
        ),
        500_121 | 50_158 | 50_161 => {
            Other("the second factor was not accepted", UserAction::SignIn)
        }
        50_126 | 50_056 | 50_064 => Other("the user name or password is wrong", UserAction::SignIn),
        50_055 | 50_144 | 50_125 | 50_135 => Other(
            "the password of the user who signed in has expired or must be changed",
            UserAction::SignIn,
        ),
        50_058 | 50_085 | 50_197 | 700_020 | 135_010 | 50_139 | 50_140 | 50_199 => {
            Other("a person has to sign in again", UserAction::SignIn)
        }
        50_057 => Other(
            "the user who signed in is disabled",
            UserAction::SignInAsAnother,
        ),
        50_020 | 50_034 | 51_004 | 90_072 | 16_003 | 500_208 => Other(
            "the user who signed in does not belong to this tenant",
            UserAction::SignInAsAnother,
        ),
        50_105 => Other(
            "the user who signed in is not assigned to this app",
            UserAction::SignInAsAnother,
        ),
        53_000..=53_004
        | 53_010
        | 53_011
        | 530_032
        | 530_034
        | 530_035
        | 50_005
        | 50_097
        | 50_129
        | 50_131
        | 50_155
        | 50_187
        | 50_002
        | 500_021
        | 500_022
        | 500_212
        | 500_213 => Other(
            "a policy of the tenant, such as Conditional Access, blocks the sign-in",
            UserAction::ChangePolicy,
        ),
        65_001 | 90_008 | 90_094 | 90_095 | 90_099 => {
            Other("nobody has consented to this app yet", UserAction::Consent)
        }
        65_004 => Other(
            "the person declined, or may not consent to this app",
            UserAction::SignIn,
        ),
        _ => return None,
    })
}

/// Codes about the app's registration, its credentials and the configuration.
fn about_app(code: u32) -> Option<Diagnosis> {
    use Diagnosis::Other;
    Some(match code {
        7_000_222 => Other("the client secret has expired", UserAction::ReplaceSecret),
        7_000_215 | 70_002 => Other(
            "the client secret is wrong; the secret's value is needed, not its ID",
            UserAction::ReplaceSecret,
        ),
        7_000_218 => Other(
            "the app requires a client secret or certificate",
            UserAction::AddCredential,
        ),
        700_025 => Other(
            "the app signs people in as a public client, which must not send a client secret or \
             certificate",
            UserAction::RemoveCredential,
        ),
        700_027 | 700_030 | 50_012 => Other(
            "the client certificate is not the one registered with the app",
            UserAction::RegisterCertificate,
        ),
        700_021 | 700_023 | 700_024 | 50_013 | 50_027 | 50_048 => Other(
            "the assertion signed with the client certificate is not accepted",
            UserAction::CheckClock,
        ),
        50_011 | 500_112 | 500_113 | 70_004 | 900_971 => Other(
            "the redirect URI is not registered with the app",
            UserAction::RegisterRedirectUri,
        ),
        700_016 | 70_001 | 700_011 | 7_000_229 => {
            Other("the app is unknown in this tenant", UserAction::CheckApp)
        }
        7_000_112 | 1_000_031 => Other("the app is disabled", UserAction::CheckApp),
        90_002 | 90_019 | 50_059 | 50_128 => Other("the tenant is unknown", UserAction::CheckApp),
        50_194 | 90_124 | 90_130 | 9_001_023 => {
            Other("the app is not multi-tenant", UserAction::CheckApp)
        }
        90_038 | 90_051 | 900_382 | 900_432 | 50_049 => Other(
            "the tenant belongs to another of Microsoft's clouds",
            UserAction::CheckAuthority,
        ),
        70_003 => Other(
            "the sign-in service does not support this sign-in method",
            UserAction::CheckAuthority,
        ),
        500_011 | 50_001 | 650_052 | 650_054 => Other(
            "the tenant has no Partner Center under this scope",
            UserAction::CheckScope,
        ),
        70_011 | 28_002 | 28_003 | 700_022 | 1_002_012 | 901_002 => {
            Other("the scope was refused", UserAction::CheckScope)
        }
        65_005 | 650_056 | 650_057 => Other(
            "the app registration lacks the permission for Partner Center",
            UserAction::Consent,
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_in_one_table_only() {
        let tables: [fn(u32) -> Option<Diagnosis>; 4] =
            [transient, about_grant, about_user, about_app];
        let mut known = 0;
        let codes = (10_000..1_100_000)
            .chain(7_000_000..7_001_000)
            .chain(9_001_000..9_003_000);
        for code in codes {
            let hits = tables.iter().filter(|table| table(code).is_some()).count();
            assert!(hits <= 1, "{code}");
            known += hits;
        }
        assert!(known > 100, "{known}");
    }
}

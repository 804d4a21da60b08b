//! What Microsoft's sign-in codes mean and ask for. The numbers and their names are those of
//! Microsoft's reference of authentication and authorization error codes; which of them pass by
//! themselves is our reading of that reference.

/// What a code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It passes by itself, or is Microsoft's to mend.
    Passing(&'static str),
    /// Passes too, but not before a while: asking on would prolong it.
    PassingSlowly(&'static str),
    /// Said of what was presented: the refresh token, or the code of a sign-in under way.
    Grant(&'static str),
    /// Said whole, with what a person has to do.
    Other(&'static str, Remedy),
}

/// What a person has to do. The words depend on where this installation has its secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    SignIn,
    SignInAsAnother,
    Consent,
    Policy,
    App,
    Authority,
    Scope,
    RedirectUri,
    /// The secret is to be replaced.
    NewSecret,
    /// There is to be a secret or a certificate.
    AnyCredential,
    /// There must be none.
    NoCredential,
    /// Whichever of the two there is.
    Credentials,
    RegisterCertificate,
    Clock,
    LookUp,
}

/// Looks a code up; the number after `AADSTS`. None where it is not known here.
pub(super) fn meaning(code: u32) -> Option<Meaning> {
    passing(code)
        .or_else(|| of_a_grant(code))
        .or_else(|| of_the_person(code))
        .or_else(|| of_the_app(code))
}

fn passing(code: u32) -> Option<Meaning> {
    use Meaning::{Passing, PassingSlowly};
    Some(match code {
        // OAuth2IdPRetryableServerError.
        40_010 => Passing("the federated identity provider has a fault of its own"),
        // TokenIssuanceError; MsodsServiceUnretryableFailure and GraphNonRetryableError, where the
        // same request may fail again but nobody here can mend it; the backup service
        // reached past its gateway; MsaServerError.
        50_000 | 90_036 | 90_092 | 230_109 | 70_012 => {
            Passing("the sign-in service has a fault of its own")
        }
        // RetryableError, SasRetryableError, ExternalServerRetryableError, RequestTimeout,
        // RequestBudgetExceededError, too long a way through the gateway,
        // MsodsServiceUnavailable, GraphRetryableError, GraphServiceUnreachable,
        // TemporaryRedirect.
        50_033 | 50_087 | 90_006 | 90_012 | 90_024 | 90_025 | 90_033 | 90_090 | 90_091 | 51_005 => {
            Passing("it has a transient fault and asks to come again later")
        }
        // The company object is still being made.
        90_085 => Passing("the tenant is not ready yet"),
        // Pass-through authentication on the tenant's own servers: OnPremiseStoreIsNotAvailable,
        // RequestTimedout, UnpredictableWebException, ErrorOccurredOnPrem,
        // AuthenticationAgentTimeout.
        80_001 | 80_002 | 80_005 | 80_007 | 80_014 => {
            Passing("the tenant's own authentication agents do not answer")
        }
        // TenantThrottlingError, ExternalClaimsProviderThrottled, the limit on calls for a second
        // factor.
        90_055 | 50_166 | 50_088 => PassingSlowly("it is throttling the tenant"),
        // LoopDetected: so many equal requests that it takes them for a loop.
        50_196 => PassingSlowly("it has had too many equal requests in a short time"),
        // IdsLocked: locked for minutes after wrong passwords, or for the address that they came
        // from.
        50_053 => PassingSlowly(
            "the account is locked for a while, or its sign-ins are blocked from this address; the tenant's sign-in logs say which",
        ),
        _ => return None,
    })
}

/// Of refresh tokens and of the codes of a sign-in under way.
fn of_a_grant(code: u32) -> Option<Meaning> {
    use Meaning::Grant;
    Some(match code {
        700_082 => Grant("has expired because it was not used for 90 days"),
        // ExpiredOrRevokedGrant, also of a single-page app; CodeExpired; a flow token that has
        // expired.
        70_008 | 700_081 | 700_084 | 70_019 | 50_089 => Grant("has expired"),
        // FreshTokenNeeded, SsoArtifactInvalidOrExpired, SsoArtifactRevoked.
        50_173 | 50_132 | 50_133 => Grant("was revoked, for example by a changed password"),
        70_043 | 70_044 => Grant("has ended by the tenant's sign-in frequency policy"),
        70_000 => Grant("is not valid"),
        54_005 => Grant("was redeemed before"),
        // A wrong PKCE secret, or its hash is; a code of another tenant.
        501_481 | 50_147 | 501_491 | 700_005 => Grant("belongs to another sign-in"),
        // InvalidUserCode; a device code that was decided on before.
        90_119 | 90_120 | 70_018 => Grant("is not known or was used before"),
        _ => return None,
    })
}

fn of_the_person(code: u32) -> Option<Meaning> {
    use Meaning::Other;
    Some(match code {
        50_076 | 50_079 | 50_072 | 50_074 => Other(
            "multi-factor authentication is demanded and was not used",
            Remedy::SignIn,
        ),
        50_078 => Other(
            "the multi-factor authentication has expired by the tenant's policy",
            Remedy::SignIn,
        ),
        500_121 | 50_158 | 50_161 => Other("the second factor was not accepted", Remedy::SignIn),
        50_126 | 50_056 | 50_064 => Other("the user name or password is wrong", Remedy::SignIn),
        50_055 | 50_144 | 50_125 | 50_135 => Other(
            "the password of the user who signed in has expired or must be changed",
            Remedy::SignIn,
        ),
        50_058 | 50_085 | 50_197 | 700_020 | 135_010 | 50_139 | 50_140 | 50_199 => {
            Other("a person has to sign in again", Remedy::SignIn)
        }
        50_057 => Other(
            "the user who signed in is disabled",
            Remedy::SignInAsAnother,
        ),
        50_020 | 50_034 | 51_004 | 90_072 | 16_003 | 500_208 => Other(
            "the user who signed in is not one of this tenant",
            Remedy::SignInAsAnother,
        ),
        50_105 => Other(
            "the user who signed in is not assigned to this app",
            Remedy::SignInAsAnother,
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
            Remedy::Policy,
        ),
        65_001 | 90_008 | 90_094 | 90_095 | 90_099 => {
            Other("nobody has consented to this app yet", Remedy::Consent)
        }
        65_004 => Other(
            "the person declined, or may not consent to this app",
            Remedy::SignIn,
        ),
        _ => return None,
    })
}

/// Of the app's registration, its credentials, and what was configured.
fn of_the_app(code: u32) -> Option<Meaning> {
    use Meaning::Other;
    Some(match code {
        7_000_222 => Other("the client secret has expired", Remedy::NewSecret),
        7_000_215 | 70_002 => Other(
            "the client secret is wrong; its value is needed, and not its id",
            Remedy::NewSecret,
        ),
        7_000_218 => Other(
            "the app demands a client secret or certificate",
            Remedy::AnyCredential,
        ),
        700_025 => Other(
            "the app signs people in as a public client and takes no client secret or certificate then",
            Remedy::NoCredential,
        ),
        700_027 | 700_030 | 50_012 => Other(
            "the client certificate is not the one registered with the app",
            Remedy::RegisterCertificate,
        ),
        700_021 | 700_023 | 700_024 | 50_013 | 50_027 | 50_048 => Other(
            "the statement signed with the client certificate is not taken",
            Remedy::Clock,
        ),
        50_011 | 500_112 | 500_113 | 70_004 | 900_971 => Other(
            "the app does not know the redirect URI",
            Remedy::RedirectUri,
        ),
        700_016 | 70_001 | 700_011 | 7_000_229 => {
            Other("the app is not known in this tenant", Remedy::App)
        }
        7_000_112 | 1_000_031 => Other("the app is disabled", Remedy::App),
        90_002 | 90_019 | 50_059 | 50_128 => Other("the tenant is not known", Remedy::App),
        50_194 | 90_124 | 90_130 | 9_001_023 => {
            Other("the app is not for every tenant", Remedy::App)
        }
        90_038 | 90_051 | 900_382 | 900_432 | 50_049 => Other(
            "the tenant belongs to another of Microsoft's clouds",
            Remedy::Authority,
        ),
        70_003 => Other(
            "the sign-in service does not know this kind of sign-in",
            Remedy::Authority,
        ),
        500_011 | 50_001 | 650_052 | 650_054 => Other(
            "Partner Center is not known under this scope in the tenant",
            Remedy::Scope,
        ),
        70_011 | 28_002 | 28_003 | 700_022 | 1_002_012 | 901_002 => {
            Other("the scope was refused", Remedy::Scope)
        }
        65_005 | 650_056 | 650_057 => Other(
            "the app registration lacks the permission for Partner Center",
            Remedy::Consent,
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_in_one_place_only() {
        let rooms: [fn(u32) -> Option<Meaning>; 4] =
            [passing, of_a_grant, of_the_person, of_the_app];
        let mut known = 0;
        let codes = (10_000..1_100_000)
            .chain(7_000_000..7_001_000)
            .chain(9_001_000..9_003_000);
        for code in codes {
            let places = rooms.iter().filter(|room| room(code).is_some()).count();
            assert!(places <= 1, "{code}");
            known += places;
        }
        assert!(known > 100, "{known}");
    }
}

//! Checks the settings section by section. Each function reads every key of its section before it
//! returns, so that one report holds all faults.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tracing_subscriber::EnvFilter;
use url::{Host, Url};

use super::database::{self, AddressDefaults, Database};
use super::fault::{ConfigFault, quoted};
use super::keys::{self, ConfigKey};
use super::reader::{Checked, RawSetting, SettingsReader};
use super::secrets::exposure;
use super::settings::{
    Cloud, Customers, Log, LogFormat, PartnerCenter, RunOnStart, ScheduleSettings,
};
use super::sources::{BaseDirs, Sources};
use crate::ledger::{CustomerId, Dataset, Source};
use crate::retry::{InvalidPolicy, RetryPolicy};
use crate::schedule::{Schedule, ScheduleError};
use crate::text;

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const TIMEOUTS: RangeInclusive<Duration> = MILLISECOND..=HOUR;
const INTERVALS: RangeInclusive<Duration> = MILLISECOND..=DAY;
const GIBIBYTE: u64 = 1 << 30;

pub(super) fn partner_center(reader: &mut SettingsReader) -> Checked<PartnerCenter> {
    let cloud = reader.required(keys::CLOUD, |raw| {
        raw.choice(&[
            ("worldwide", Cloud::Worldwide),
            ("us_gov", Cloud::UsGov),
            ("china", Cloud::China),
        ])
    });
    let base_url = address(reader, keys::BASE_URL, cloud.map(Cloud::base_url));
    let source = reader.required(keys::SOURCE, |raw| {
        raw.choice(&[Source::Customer, Source::Commercial].map(|source| (source.as_str(), source)))
    });
    let datasets = datasets(reader);
    let locale = reader.required(keys::LOCALE, |raw| locale(raw.text()?));
    let allow_locale_change = reader.required(keys::ALLOW_LOCALE_CHANGE, RawSetting::switch);
    let max_concurrency = reader.required(keys::MAX_CONCURRENCY, |raw| raw.whole(1..=1000));
    let max_requests_per_second = reader.optional(keys::MAX_REQUESTS_PER_SECOND, |raw| {
        raw.number(0.001..=10_000.0)
    });
    let request_timeout = reader.required(keys::REQUEST_TIMEOUT, |raw| raw.duration(TIMEOUTS));
    let connect_timeout = reader.required(keys::CONNECT_TIMEOUT, |raw| raw.duration(TIMEOUTS));
    let max_response_bytes =
        reader.required(keys::MAX_RESPONSE_BYTES, |raw| raw.whole(1..=4 * GIBIBYTE));
    let source = source?;
    Ok(PartnerCenter {
        cloud: cloud?,
        base_url: base_url?,
        source,
        datasets: datasets?.unwrap_or_else(|| match source {
            Source::Customer => vec![Dataset::Usage],
            Source::Commercial => vec![Dataset::Usage, Dataset::Deployment],
        }),
        locale: locale?,
        allow_locale_change: allow_locale_change?,
        max_concurrency: max_concurrency?,
        max_requests_per_second: max_requests_per_second?,
        request_timeout: request_timeout?,
        connect_timeout: connect_timeout?,
        max_response_bytes: max_response_bytes?,
    })
}

/// The configured datasets, each once; none if the setting is absent.
fn datasets(reader: &mut SettingsReader) -> Checked<Option<Vec<Dataset>>> {
    reader.optional(keys::DATASETS, |raw| {
        let mut datasets = raw.list(|text| {
            [Dataset::Usage, Dataset::Deployment]
                .into_iter()
                .find(|dataset| dataset.as_str() == text)
                .ok_or_else(|| "is neither \"usage\" nor \"deployment\"".to_owned())
        })?;
        datasets.sort_unstable();
        datasets.dedup();
        if datasets.is_empty() {
            return Err("must name \"usage\", \"deployment\" or both".to_owned());
        }
        Ok(datasets)
    })
}

pub(super) fn customers(reader: &mut SettingsReader, dirs: &BaseDirs) -> Checked<Customers> {
    let guid =
        |text: &str| CustomerId::parse_leniently(text).map_err(|error| format!("is {error}"));
    let ids = reader.required(keys::CUSTOMER_IDS, |raw| raw.list(guid));
    let file = reader.optional(keys::CUSTOMER_FILE, |raw| {
        let path = dirs.resolve(raw.text()?);
        text::probe(&path).map(|()| path).map_err(|error| {
            format!("{error}; a relative path starts at the configuration file's folder")
        })
    });
    let discover = reader.required(keys::DISCOVER, RawSetting::switch);
    let exclude = reader.required(keys::EXCLUDE, |raw| raw.list(guid));
    let (ids, file, discover) = (ids?, file?, discover?);
    if ids.is_empty() && file.is_none() && !discover {
        return Err(reader.report(ConfigFault::new(
            "customers",
            "no customer is named; set customers.ids, customers.file or customers.discover = true",
        )));
    }
    let mut seen = HashSet::new();
    Ok(Customers {
        ids: ids.into_iter().filter(|id| seen.insert(*id)).collect(),
        file,
        discover,
        exclude: exclude?.into_iter().collect(),
    })
}

pub(super) fn schedule(
    reader: &mut SettingsReader,
    now: DateTime<Utc>,
) -> Checked<ScheduleSettings> {
    let text = |raw: &RawSetting| raw.text().map(|text| text.trim().to_owned());
    let cron = reader.required(keys::CRON, text);
    let zone = reader.required(keys::TIMEZONE, text);
    let run_on_start = reader.required(keys::RUN_ON_START, |raw| {
        raw.choice(&[
            ("if_missed", RunOnStart::IfMissed),
            ("always", RunOnStart::Always),
            ("never", RunOnStart::Never),
        ])
    });
    // Each of the two is checked even if the other is wrong; the expression in UTC then.
    let zone = zone.and_then(|zone| match Schedule::try_new("* * * * * *", &zone, now) {
        Err(ScheduleError::Zone) => Err(reader.refuse(
            keys::TIMEZONE,
            "must be an IANA time zone such as \"UTC\" or \"Europe/Berlin\"",
        )),
        Ok(_) | Err(ScheduleError::Expression(_) | ScheduleError::Never) => Ok(zone),
    });
    let schedule = cron.and_then(|cron| {
        let zone = zone.as_deref().unwrap_or("UTC");
        Schedule::try_new(&cron, zone, now)
            .map_err(|error| reader.refuse(keys::CRON, wrong_schedule(&cron, &error)))
    });
    zone?;
    Ok(ScheduleSettings {
        schedule: schedule?,
        run_on_start: run_on_start?,
    })
}

fn wrong_schedule(cron: &str, error: &ScheduleError) -> String {
    let fields = "second, minute, hour, day of month, month, day of week";
    match error {
        ScheduleError::Never => {
            "never fires: no future date matches it (day of month and day of week must both match)"
                .to_owned()
        }
        ScheduleError::Expression(_) if cron.split_whitespace().count() == 5 => {
            format!(
                "has five fields; it takes six, seconds first: {}",
                quoted(&format!("0 {cron}"))
            )
        }
        ScheduleError::Expression(message) => {
            let message = message.trim_end_matches('.');
            format!("must be six fields, {fields}, such as \"0 0 6 * * *\": {message}")
        }
        ScheduleError::Zone => error.to_string(),
    }
}

pub(super) fn retry(reader: &mut SettingsReader) -> Checked<RetryPolicy> {
    let initial = reader.required(keys::INITIAL_INTERVAL, |raw| raw.duration(INTERVALS));
    let max = reader.required(keys::MAX_INTERVAL, |raw| raw.duration(INTERVALS));
    let max_elapsed = reader.required(keys::MAX_ELAPSED_TIME, |raw| {
        raw.duration(Duration::ZERO..=DAY)
    });
    let (initial, max) = (initial?, max?);
    // The two intervals are compared even if the third setting is wrong.
    let elapsed = max_elapsed.unwrap_or_default();
    let policy = RetryPolicy::try_new(initial, max, elapsed).map_err(|error| match error {
        InvalidPolicy::ZeroInitial => {
            reader.refuse(keys::INITIAL_INTERVAL, "must be longer than zero")
        }
        // The fault is of the setting that was given, not of a default.
        InvalidPolicy::MaxBelowInitial if reader.origin(keys::MAX_INTERVAL).is_none() => {
            let most = humantime::format_duration(max);
            let problem = format!("must not be longer than retry.max_interval, which is {most}");
            reader.refuse(keys::INITIAL_INTERVAL, problem)
        }
        InvalidPolicy::MaxBelowInitial => {
            let least = humantime::format_duration(initial);
            let problem =
                format!("must not be shorter than retry.initial_interval, which is {least}");
            reader.refuse(keys::MAX_INTERVAL, problem)
        }
    });
    max_elapsed.and(policy)
}

/// Variables that would override database.url in the driver, and the parameter to write instead.
const OVERRIDING_VARIABLES: [(&str, &str); 3] = [
    ("PGOPTIONS", "options"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
];

pub(super) fn database(
    reader: &mut SettingsReader,
    dirs: &BaseDirs,
    sources: &Sources,
) -> Checked<Database> {
    for (variable, parameter) in OVERRIDING_VARIABLES {
        if sources.variable(variable).is_some() {
            let problem = format!(
                "is set in the environment, and would override database.url; \
                 write it there as {parameter}, and unset the variable"
            );
            reader.report(ConfigFault::new(variable, problem));
        }
    }
    let url = database::URL.required(reader, dirs);
    let max_connections = reader.required(keys::MAX_CONNECTIONS, |raw| raw.whole(1..=100));
    let (url, max_connections) = (url?, max_connections?);
    let (key, file) = database::URL.source(reader, dirs);
    let database = Database::new(url, file, AddressDefaults::new(dirs), max_connections)
        .map_err(|problem| reader.refuse(key, problem))?;
    if let Some(identity) = &database.address.tls.identity {
        let what = "the private key of the client certificate for the database";
        exposure::warn(reader, dirs, what, &identity.key);
    }
    Ok(database)
}

pub(super) fn log(reader: &mut SettingsReader) -> Checked<Log> {
    let filter = reader.required(keys::LOG_FILTER, |raw| {
        let text = raw.text()?;
        EnvFilter::try_new(text)
            .map(|_| text.to_owned())
            .map_err(|error| {
                format!("must be levels such as \"info\" or \"warn,seatledger=debug\": {error}")
            })
    });
    let format = reader.required(keys::LOG_FORMAT, |raw| {
        raw.choice(&[
            ("auto", LogFormat::Auto),
            ("text", LogFormat::Text),
            ("json", LogFormat::Json),
        ])
    });
    Ok(Log {
        filter: filter?,
        format: format?,
    })
}

/// The configured address, or the default of the cloud.
pub(super) fn address(
    reader: &mut SettingsReader,
    key: &'static ConfigKey,
    cloud_default: Checked<&'static str>,
) -> Checked<Url> {
    if reader.origin(key).is_some() {
        return reader.required(key, |raw| web_address(raw.text()?));
    }
    cloud_default.map(|text| web_address(text).expect("the addresses of every cloud are valid"))
}

/// An address to which secrets are sent. Its path does not end with a slash, unless the path is the
/// single slash that `Url` adds to a host.
pub(super) fn web_address(text: &str) -> Result<Url, String> {
    let mut url = secure_address(text)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end with its path, without ? or #".to_owned());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// An address that is reached over TLS, or on this machine.
pub(super) fn secure_address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim())
        .map_err(|error| format!("must be an address such as https://example.com: {error}"))?;
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let problem = match url.scheme() {
        "http" if !is_loopback => {
            "must begin with https:// (plain http is refused except to this machine: \
             localhost, 127.0.0.0/8, ::1)"
        }
        "http" | "https" if !url.username().is_empty() || url.password().is_some() => {
            "must not contain a user name or a password"
        }
        "http" | "https" => return Ok(url),
        _ => "must begin with https://",
    };
    Err(problem.to_owned())
}

/// Checks that `text` can be one segment of a URL's path without escapes. `expected` says what it
/// should be.
pub(super) fn path_segment(text: &str, expected: &str) -> Result<String, String> {
    let is_valid = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    if is_valid {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "must be {expected}: letters, digits, dots and hyphens"
        ))
    }
}

fn locale(text: &str) -> Result<String, String> {
    let mut parts = text.split('-');
    let language = parts.next().is_some_and(|part| {
        matches!(part.len(), 2..=3) && part.bytes().all(|b| b.is_ascii_alphabetic())
    });
    let rest = parts
        .all(|part| matches!(part.len(), 2..=8) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    if language && rest {
        Ok(text.to_owned())
    } else {
        Err("must be a locale such as \"en-US\"".to_owned())
    }
}

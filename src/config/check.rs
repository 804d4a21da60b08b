//! Turns settings into what the rest may see, section by section. Each function looks at every key
//! of its section before it gives up, so that one report names all that is wrong.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tracing_subscriber::EnvFilter;
use url::{Host, Url};

use super::database::{Database, Local};
use super::exposure;
use super::fault::{Fault, quoted};
use super::keys::{self, Key};
use super::secrets;
use super::settings::{Given, Read, Settings};
use super::valid::{
    Cloud, Customers, Log, LogFormat, PartnerCenter, RunOnStart, ScheduleSettings, Status,
};
use super::{Sources, Surroundings};
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

pub(super) fn partner_center(settings: &mut Settings) -> Read<PartnerCenter> {
    let cloud = settings.required(keys::CLOUD, |given| {
        given.choice(&[
            ("worldwide", Cloud::Worldwide),
            ("us_gov", Cloud::UsGov),
            ("china", Cloud::China),
        ])
    });
    let base_url = address(settings, keys::BASE_URL, cloud.map(Cloud::base_url));
    let source = settings.required(keys::SOURCE, |given| {
        given
            .choice(&[Source::Customer, Source::Commercial].map(|source| (source.as_str(), source)))
    });
    let datasets = datasets(settings);
    let locale = settings.required(keys::LOCALE, |given| locale(given.text()?));
    let allow_locale_change = settings.required(keys::ALLOW_LOCALE_CHANGE, Given::switch);
    let max_concurrency = settings.required(keys::MAX_CONCURRENCY, |given| given.whole(1..=1000));
    let max_requests_per_second = settings.optional(keys::MAX_REQUESTS_PER_SECOND, |given| {
        given.number(0.001..=10_000.0)
    });
    let request_timeout =
        settings.required(keys::REQUEST_TIMEOUT, |given| given.duration(TIMEOUTS));
    let connect_timeout =
        settings.required(keys::CONNECT_TIMEOUT, |given| given.duration(TIMEOUTS));
    let max_response_bytes = settings.required(keys::MAX_RESPONSE_BYTES, |given| {
        given.whole(1..=4 * GIBIBYTE)
    });
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

/// What was asked for, each once; none where nothing was said.
fn datasets(settings: &mut Settings) -> Read<Option<Vec<Dataset>>> {
    settings.optional(keys::DATASETS, |given| {
        let mut datasets = given.list(|text| {
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

pub(super) fn customers(settings: &mut Settings, surroundings: &Surroundings) -> Read<Customers> {
    let guid =
        |text: &str| CustomerId::parse_leniently(text).map_err(|error| format!("is {error}"));
    let ids = settings.required(keys::CUSTOMER_IDS, |given| given.list(guid));
    let file = settings.optional(keys::CUSTOMER_FILE, |given| {
        let path = surroundings.resolve(given.text()?);
        text::probe(&path).map(|()| path).map_err(|error| {
            format!("{error}; a relative path starts at the configuration file's folder")
        })
    });
    let discover = settings.required(keys::DISCOVER, Given::switch);
    let exclude = settings.required(keys::EXCLUDE, |given| given.list(guid));
    let (ids, file, discover) = (ids?, file?, discover?);
    if ids.is_empty() && file.is_none() && !discover {
        return Err(settings.note(Fault::new(
            "customers",
            "nobody is named; set customers.ids, customers.file or customers.discover = true",
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

pub(super) fn schedule(settings: &mut Settings, now: DateTime<Utc>) -> Read<ScheduleSettings> {
    let text = |given: &Given| given.text().map(|text| text.trim().to_owned());
    let cron = settings.required(keys::CRON, text);
    let zone = settings.required(keys::TIMEZONE, text);
    let run_on_start = settings.required(keys::RUN_ON_START, |given| {
        given.choice(&[
            ("if_missed", RunOnStart::IfMissed),
            ("always", RunOnStart::Always),
            ("never", RunOnStart::Never),
        ])
    });
    // Either is judged even where the other is wrong; the expression in UTC, then.
    let zone = zone.and_then(|zone| match Schedule::try_new("* * * * * *", &zone, now) {
        Err(ScheduleError::Zone) => Err(settings.refuse(
            keys::TIMEZONE,
            "must be an IANA time zone such as \"UTC\" or \"Europe/Berlin\"",
        )),
        Ok(_) | Err(ScheduleError::Expression(_) | ScheduleError::Never) => Ok(zone),
    });
    let schedule = cron.and_then(|cron| {
        let place = zone.as_deref().unwrap_or("UTC");
        Schedule::try_new(&cron, place, now)
            .map_err(|error| settings.refuse(keys::CRON, wrong_schedule(&cron, &error)))
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
            "never fires: no moment to come fits it (day of month and day of week must both fit)"
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

pub(super) fn retry(settings: &mut Settings) -> Read<RetryPolicy> {
    let initial = settings.required(keys::INITIAL_INTERVAL, |given| given.duration(INTERVALS));
    let max = settings.required(keys::MAX_INTERVAL, |given| given.duration(INTERVALS));
    let max_elapsed = settings.required(keys::MAX_ELAPSED_TIME, |given| {
        given.duration(Duration::ZERO..=DAY)
    });
    let (initial, max) = (initial?, max?);
    // The intervals are compared even where the third is wrong.
    let elapsed = max_elapsed.unwrap_or_default();
    let policy = RetryPolicy::try_new(initial, max, elapsed).map_err(|error| match error {
        InvalidPolicy::ZeroInitial => {
            settings.refuse(keys::INITIAL_INTERVAL, "must be longer than nothing")
        }
        // The one that was given is at fault, not a default.
        InvalidPolicy::MaxBelowInitial if settings.given_at(keys::MAX_INTERVAL).is_none() => {
            let most = humantime::format_duration(max);
            let problem = format!("must not be longer than retry.max_interval, which is {most}");
            settings.refuse(keys::INITIAL_INTERVAL, problem)
        }
        InvalidPolicy::MaxBelowInitial => {
            let least = humantime::format_duration(initial);
            let problem =
                format!("must not be shorter than retry.initial_interval, which is {least}");
            settings.refuse(keys::MAX_INTERVAL, problem)
        }
    });
    max_elapsed.and(policy)
}

/// Variables that the database's driver would obey whatever the address says.
const OBEYED: [(&str, &str); 3] = [
    ("PGOPTIONS", "options"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
];

pub(super) fn database(
    settings: &mut Settings,
    surroundings: &Surroundings,
    sources: &Sources,
) -> Read<Database> {
    for (variable, parameter) in OBEYED {
        if sources.variable(variable).is_some() {
            let problem = format!(
                "is set in the environment, and would change what database.url says; \
                 write it there as {parameter}, and take the variable away"
            );
            settings.note(Fault::new(variable, problem));
        }
    }
    let url = secrets::DATABASE_URL.required(settings, surroundings);
    let max_connections = settings.required(keys::MAX_CONNECTIONS, |given| given.whole(1..=100));
    let (url, max_connections) = (url?, max_connections?);
    let (key, file) = secrets::DATABASE_URL.origin(settings, surroundings);
    let database = Database::read(url, file, Local::new(surroundings), max_connections)
        .map_err(|problem| settings.refuse(key, problem))?;
    if let Some(identity) = &database.address.tls.identity {
        let what = "the private key for the database";
        exposure::warn(settings, surroundings, what, &identity.key);
    }
    Ok(database)
}

pub(super) fn status(settings: &mut Settings) -> Read<Status> {
    let listen = settings.required(keys::LISTEN, |given| match given.text_or_empty()?.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            "must be an IP address with a port, such as \"127.0.0.1:9464\" or \"[::]:9464\", \
             or empty to switch it off"
                .to_owned()
        }),
    });
    let hosts = settings.required(keys::STATUS_HOSTS, |given| given.list(host_name));
    Ok(Status {
        listen: listen?,
        hosts: hosts?,
    })
}

/// As a `Host` header has it, but in lower case, without a port and without the dot at the end.
fn host_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    match Host::parse(name) {
        Ok(Host::Domain(name)) if name.chars().all(is_plain) => Ok(name),
        Ok(Host::Ipv4(address)) => Ok(address.to_string()),
        Ok(Host::Ipv6(address)) => Ok(address.to_string()),
        Ok(Host::Domain(_)) | Err(_) => Err(
            "must be the whole name of a host, such as \"status.example.com\", without scheme, \
             port and path"
                .to_owned(),
        ),
    }
}

pub(super) fn log(settings: &mut Settings) -> Read<Log> {
    let filter = settings.required(keys::LOG_FILTER, |given| {
        let text = given.text()?;
        EnvFilter::try_new(text)
            .map(|_| text.to_owned())
            .map_err(|error| {
                format!("must be levels such as \"info\" or \"warn,seatledger=debug\": {error}")
            })
    });
    let format = settings.required(keys::LOG_FORMAT, |given| {
        given.choice(&[
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

/// The address that was given, or else the one that the cloud has.
pub(super) fn address(
    settings: &mut Settings,
    key: &'static Key,
    of_the_cloud: Read<&'static str>,
) -> Read<Url> {
    if settings.given_at(key).is_some() {
        return settings.required(key, |given| web_address(given.text()?));
    }
    of_the_cloud.map(|text| web_address(text).expect("each cloud's addresses are well-formed"))
}

/// A place to send secrets to, without a slash at its end (but for the bare host, where `Url` adds
/// one).
pub(super) fn web_address(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text.trim())
        .map_err(|error| format!("must be an address such as https://example.com: {error}"))?;
    let this_machine = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let problem = match url.scheme() {
        "http" if !this_machine => {
            "must begin with https:// (plain http is refused except to this machine: \
             localhost, 127.0.0.0/8, ::1)"
        }
        "http" | "https" if !url.username().is_empty() || url.password().is_some() => {
            "must not hold a user name or a password"
        }
        "http" | "https" if url.query().is_some() || url.fragment().is_some() => {
            "must end with its path, without ? or #"
        }
        "http" | "https" => {
            let path = url.path().trim_end_matches('/').to_owned();
            url.set_path(&path);
            return Ok(url);
        }
        _ => "must begin with https://",
    };
    Err(problem.to_owned())
}

/// Checks that `text` can be one segment of a path, whole and unescaped.
pub(super) fn fit_for_a_path(text: &str, right: &str) -> Result<String, String> {
    let fit = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    if fit {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "must be {right}: letters, digits, dots and hyphens"
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

//! The configuration: defaults, a TOML file and the environment. The file overrides the defaults,
//! the environment overrides both. The only room that reads the environment. Opens no connection.
//!
//! [`load`] goes through these files: `file` finds and parses the TOML, `layers` sorts known keys
//! (`keys`) from unknown ones and merges, `reader` converts single values, and `sections`, `auth`,
//! `database`, `status` and `secrets` check them and build the `settings`, which the other rooms
//! see. `foreign` reads variables that are not the program's own. All faults are collected in one
//! [`ConfigError`], which holds no secret.

mod auth;
mod database;
mod fault;
mod file;
mod foreign;
mod keys;
mod layers;
mod reader;
mod secrets;
mod sections;
mod settings;
mod sources;
mod status;

use std::path::PathBuf;

use fault::Origin;
use foreign::{desktop, network};
use layers::Layers;
use reader::{Checked, SettingsReader};
use sources::BaseDirs;

pub use database::{
    Database, DatabaseAddress, FileFault, Host, Identity, IdentityPem, Roots, SslMode, Target, Tls,
};
pub use fault::{ConfigError, ConfigFault, SettingOrigins};
#[cfg(feature = "otel")]
pub(crate) use foreign::traces::TraceSettings;
pub use layers::describe::{Described, ShownSetting, describe};
pub use settings::{
    App, Auth, ClientCredential, Cloud, Config, Customers, Log, LogFormat, Method, NotifySettings,
    NotifyUrl, PartnerCenter, RunOnStart, ScheduleSettings, StatusSettings, Webhook,
};
pub use sources::{Sources, journal_stream};

/// Reads and checks everything.
///
/// # Errors
/// With all faults at once: when there is no file, or when anything in it or in the environment is
/// wrong.
pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
    let path = file::find(sources)?;
    let name = path.display().to_string();
    let (environment, mut faults) = layers::from_environment(&sources.environment);
    let contents = match file::read(&path) {
        Ok(contents) => contents,
        // Which settings are missing is unknown if the file cannot be parsed.
        Err(fault) => {
            faults.insert(0, fault);
            return Err(ConfigError::new(faults));
        }
    };
    let (file, unknown) = layers::from_file(contents.top, &Origin::File(name.clone()));
    faults.splice(0..0, unknown);
    let mut reader = SettingsReader::new(Layers::new(file, environment), name, faults);
    if let Some(line) = contents.guessed_line {
        reader.mark_guessed(line);
    }
    let config = check(&mut reader, path, sources);
    reader.finish(config)
}

/// Checks every section before it returns, so that one report holds all faults.
fn check(reader: &mut SettingsReader, path: PathBuf, sources: &Sources) -> Checked<Config> {
    let dirs = BaseDirs::new(&path, sources);
    let partner_center = sections::partner_center(reader);
    let auth = auth::auth(
        reader,
        &dirs,
        partner_center.as_ref().map_err(|reported| *reported),
    );
    let customers = sections::customers(reader, &dirs);
    let schedule = sections::schedule(reader, sources.now);
    let retry = sections::retry(reader);
    let database = sections::database(reader, &dirs, sources);
    let status = status::settings(reader);
    let notify = secrets::notify::notify(reader, &dirs);
    let log = sections::log(reader);
    secrets::exposure::warn_of_configuration(reader, &path);
    secrets::warn_of_unknown_credentials(reader, &dirs);
    let origins = match (&partner_center, &auth) {
        (Ok(partner_center), Ok(auth)) => network::tls_origins(partner_center, auth),
        _ => Vec::new(),
    };
    network::check(reader, sources, &origins);
    Ok(Config {
        path,
        origins: SettingOrigins {
            credentials: secrets::count_credentials(&dirs),
            ..reader.count_origins()
        },
        partner_center: partner_center?,
        auth: auth?,
        customers: customers?,
        schedule: schedule?,
        retry: retry?,
        database: database?,
        status: status?,
        notify: notify?,
        log: log?,
        #[cfg(feature = "otel")]
        traces: foreign::traces::traces(reader, sources),
        browser_environment: desktop::browser_environment(&sources.environment),
        warnings: reader.take_warnings(),
    })
}

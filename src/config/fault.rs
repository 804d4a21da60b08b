//! What is wrong with a configuration, in words that tell an operator how to fix it. A fault holds
//! no secret, so it may be shown and logged.

use std::error::Error;
use std::fmt;

use crate::retry::Remedy;

/// Shown in place of a value that must not be in a log.
const NOT_SHOWN: &str = "(not shown)";

/// The maximum number of characters shown of a value. A longer value is cut, so that one fault
/// stays one line of the report.
const MAX_SHOWN_CHARS: usize = 80;

/// The name of the whole file in a fault.
pub(super) const WHOLE_FILE: &str = "configuration file";

/// How many settings come from each place; the rest are defaults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SettingOrigins {
    /// In the file.
    pub in_file: usize,
    /// From environment variables.
    pub in_environment: usize,
    /// From systemd credentials.
    pub credentials: usize,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The default of the key.
    Default,
    /// The path of a file.
    File(String),
    /// The name of an environment variable.
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File(path) => write!(f, "in {path}"),
            Self::Variable(name) => write!(f, "from the environment, {name}"),
        }
    }
}

/// A value as a report may show it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ShownValue {
    Absent,
    Hidden,
    Text(String),
}

/// One fault. Displayed on one line: key, value, problem, origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    key: String,
    value: ShownValue,
    problem: String,
    origin: Option<Origin>,
    is_transient: bool,
}

impl ConfigFault {
    pub(super) fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: ShownValue::Absent,
            problem: problem.into(),
            origin: None,
            is_transient: false,
        }
    }

    pub(super) fn at(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    pub(super) fn showing(mut self, value: impl Into<String>) -> Self {
        self.value = ShownValue::Text(value.into());
        self
    }

    /// Shows that there is a value, but not the value.
    pub(super) fn hiding(mut self) -> Self {
        self.value = ShownValue::Hidden;
        self
    }

    /// `is_transient`: the value could not be read because the machine is short of memory or file
    /// descriptors, so the configuration may be right.
    pub(super) fn transient(mut self, is_transient: bool) -> Self {
        self.is_transient = is_transient;
        self
    }

    /// Key, problem and origin. The problem may quote a part of the value, and is left out unless
    /// `with_problem`.
    pub(super) fn without_value(&self, with_problem: bool) -> String {
        let problem = if with_problem {
            &self.problem
        } else {
            "is wrong"
        };
        let origin = self.origin.as_ref();
        let origin = origin
            .map(|origin| format!(" ({origin})"))
            .unwrap_or_default();
        format!("{}: {problem}{origin}", self.key)
    }

    /// The key, such as `retry.max_interval`, or the name of a file or variable.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        match &self.value {
            ShownValue::Absent => {}
            ShownValue::Hidden => write!(f, " = {NOT_SHOWN}")?,
            ShownValue::Text(value) => write!(f, " = {value}")?,
        }
        write!(f, ": {}", self.problem)?;
        match &self.origin {
            Some(origin) => write!(f, " ({origin})"),
            None => Ok(()),
        }
    }
}

/// `text` in quotes, on one line, cut if it is long.
pub(super) fn quoted(text: &str) -> String {
    let mut chars = text.chars();
    let head: String = chars.by_ref().take(MAX_SHOWN_CHARS).collect();
    let cut = if chars.next().is_some() { "…" } else { "" };
    format!("{head:?}{cut}")
}

/// All faults of the configuration. Displayed as a report with one line per fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<ConfigFault>,
}

impl ConfigError {
    pub(super) fn new(faults: Vec<ConfigFault>) -> Self {
        Self { faults }
    }

    /// The faults, at least one.
    #[must_use]
    pub fn faults(&self) -> &[ConfigFault] {
        &self.faults
    }

    /// Whether no file was named, and none stands where one is looked for.
    #[must_use]
    pub fn is_without_file(&self) -> bool {
        self.faults
            .iter()
            .any(|fault| fault.key == WHOLE_FILE && fault.origin.is_none())
    }

    /// The configuration has to be changed, unless every fault is transient.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        if self.faults.iter().all(|fault| fault.is_transient) {
            Remedy::Time
        } else {
            Remedy::Configuration
        }
    }
}

impl From<ConfigFault> for ConfigError {
    fn from(fault: ConfigFault) -> Self {
        Self::new(vec![fault])
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.faults.len() {
            1 => f.write_str("the configuration has a fault:")?,
            count => write!(f, "the configuration has {count} faults:")?,
        }
        for fault in &self.faults {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

impl Error for ConfigError {}

//! What is wrong with a configuration, said so that an operator can mend it.
//! What a fault holds may be shown to anybody: secrets are left out before one is made.

use std::error::Error;
use std::fmt;

use crate::retry::Remedy;

/// Stands where a value is that nobody should read in a log.
const NOT_SHOWN: &str = "(not shown)";

/// A longer value is cut.
const MAX_SHOWN_CHARS: usize = 80;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Nobody gave it.
    Default,
    /// The path of a file.
    File(String),
    /// The name of an environment variable.
    Variable(String),
}

impl fmt::Display for Place {
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
enum Shown {
    Absent,
    Hidden,
    Text(String),
}

/// One thing that is wrong. Displayed on one line: key, value, what would be right, place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    key: String,
    value: Shown,
    problem: String,
    place: Option<Place>,
    passes: bool,
}

impl Fault {
    pub(super) fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: Shown::Absent,
            problem: problem.into(),
            place: None,
            passes: false,
        }
    }

    pub(super) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    pub(super) fn showing(mut self, value: impl Into<String>) -> Self {
        self.value = Shown::Text(value.into());
        self
    }

    /// Says that there is a value without showing it.
    pub(super) fn hiding(mut self) -> Self {
        self.value = Shown::Hidden;
        self
    }

    /// Says whether it is the machine that was short of something, and not the configuration that
    /// is wrong.
    pub(super) fn passing(mut self, passes: bool) -> Self {
        self.passes = passes;
        self
    }

    /// The key, such as `retry.max_interval`, or what else is at fault.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        match &self.value {
            Shown::Absent => {}
            Shown::Hidden => write!(f, " = {NOT_SHOWN}")?,
            Shown::Text(value) => write!(f, " = {value}")?,
        }
        write!(f, ": {}", self.problem)?;
        match &self.place {
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}

/// `text` in quotes, on one line and not too long.
pub(super) fn quoted(text: &str) -> String {
    let mut chars = text.chars();
    let head: String = chars.by_ref().take(MAX_SHOWN_CHARS).collect();
    let cut = if chars.next().is_some() { "…" } else { "" };
    format!("{head:?}{cut}")
}

/// All that is wrong with the configuration. Displayed as a report, one line for each fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<Fault>,
}

impl ConfigError {
    pub(super) fn new(faults: Vec<Fault>) -> Self {
        Self { faults }
    }

    /// Each fault, at least one.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// What mends it: the configuration has to be changed, unless all that was wrong passes by
    /// itself.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        if self.faults.iter().all(|fault| fault.passes) {
            Remedy::Time
        } else {
            Remedy::Configuration
        }
    }
}

impl From<Fault> for ConfigError {
    fn from(fault: Fault) -> Self {
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

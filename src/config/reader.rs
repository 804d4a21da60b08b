//! Reads the merged values one by one, converts them to the wanted type, and collects the faults.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use ::config::{Value, ValueKind};

use super::fault::{ConfigError, ConfigFault, Origin, SettingOrigins, quoted};
use super::keys::{self, ConfigKey};
use super::layers::{Layers, displayed};
use crate::text::trimmed;

/// How many faulty entries of one list a message names. Of the rest it gives only the number, so
/// that a long list does not fill the report.
const MAX_ENTRIES_NAMED: usize = 5;

/// There is no value; the report already says why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reported;

/// A checked value, or a fault in the report.
pub(super) type Checked<T> = Result<T, Reported>;

/// All values, and the faults found so far.
pub(super) struct SettingsReader {
    layers: Layers,
    file: String,
    faults: Vec<ConfigFault>,
    warnings: Vec<String>,
    is_guessed: bool,
}

impl SettingsReader {
    pub(super) fn new(layers: Layers, file: String, faults: Vec<ConfigFault>) -> Self {
        Self {
            layers,
            file,
            faults,
            warnings: Vec::new(),
            is_guessed: false,
        }
    }

    /// Adds a fault to the report, unless it is there already.
    pub(super) fn report(&mut self, fault: ConfigFault) -> Reported {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
        Reported
    }

    /// Adds a warning, unless it is there already.
    pub(super) fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The warnings so far.
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Records that the file is not UTF-8 from `line` on.
    pub(super) fn mark_guessed(&mut self, line: usize) {
        self.is_guessed = true;
        self.warn(format!(
            "line {line} of {} is not UTF-8 and was read as Windows-1252; save the file as UTF-8",
            self.file
        ));
    }

    /// Whether letters beyond ASCII in a value from this origin are guesses.
    pub(super) fn is_guessed(&self, origin: &Origin) -> bool {
        self.is_guessed && matches!(origin, Origin::File(_))
    }

    /// Reports a fault of the value of `key`.
    pub(super) fn refuse(&mut self, key: &ConfigKey, problem: impl Into<String>) -> Reported {
        let fault = self.fault(key, problem);
        self.report(fault)
    }

    /// A fault of the value of `key`. Shows the value if that is safe.
    pub(super) fn fault(&self, key: &ConfigKey, problem: impl Into<String>) -> ConfigFault {
        let fault = ConfigFault::new(key.path, problem);
        match self.layers.get(key, &self.file) {
            Some((value, origin)) => match (displayed(&value), value) {
                (Some(text), _) if !key.hidden => fault.showing(text),
                // A list is too long to show; the problem names the entry.
                (None, ValueKind::Array(_)) if !key.hidden => fault,
                _ => fault.hiding(),
            }
            .at(origin),
            None => fault,
        }
    }

    /// Reports that `key` is missing.
    fn report_missing(&mut self, key: &ConfigKey) -> Reported {
        let problem = format!(
            "is missing; set it in {} or as {}",
            self.file,
            key.variable()
        );
        self.report(ConfigFault::new(key.path, problem))
    }

    /// How many settings the file and the environment hold.
    pub(super) fn count_origins(&self) -> SettingOrigins {
        let mut origins = SettingOrigins::default();
        for key in keys::ALL {
            match self.origin(key) {
                Some(Origin::File(_)) => origins.in_file += 1,
                Some(Origin::Variable(_)) => origins.in_environment += 1,
                Some(Origin::Default) | None => {}
            }
        }
        origins
    }

    /// The path of the configuration file.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// The origin of the value of `key`; none for a default.
    pub(super) fn origin(&self, key: &ConfigKey) -> Option<Origin> {
        self.layers
            .get(key, &self.file)
            .map(|(_, origin)| origin)
            .filter(|origin| *origin != Origin::Default)
    }

    /// The unchecked text of `key`.
    pub(super) fn text_at(&self, key: &ConfigKey) -> Option<String> {
        match self.layers.get(key, &self.file)?.0 {
            ValueKind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of `key`, or its default.
    pub(super) fn optional<T>(
        &mut self,
        key: &ConfigKey,
        convert: impl FnOnce(&RawSetting) -> Result<T, String>,
    ) -> Checked<Option<T>> {
        let Some((kind, origin)) = self.layers.get(key, &self.file) else {
            return Ok(None);
        };
        let raw = RawSetting {
            kind,
            is_untyped: !matches!(origin, Origin::File(_)),
        };
        convert(&raw)
            .map(Some)
            .map_err(|problem| self.refuse(key, problem))
    }

    /// The value of `key`, which must have one.
    pub(super) fn required<T>(
        &mut self,
        key: &ConfigKey,
        convert: impl FnOnce(&RawSetting) -> Result<T, String>,
    ) -> Checked<T> {
        self.optional(key, convert)?
            .ok_or_else(|| self.report_missing(key))
    }

    /// `value`, or the report if there is a fault anywhere.
    pub(super) fn finish<T>(self, value: Checked<T>) -> Result<T, ConfigError> {
        match value {
            Ok(value) if self.faults.is_empty() => Ok(value),
            _ => Err(ConfigError::new(self.faults)),
        }
    }
}

/// One value as it was written. The errors of its methods say what would be right and never hold
/// the value.
pub(super) struct RawSetting {
    kind: ValueKind,
    /// From the environment or a default, which are text only: numbers and lists are parsed from
    /// it.
    is_untyped: bool,
}

impl RawSetting {
    /// Text that is not blank.
    pub(super) fn text(&self) -> Result<&str, String> {
        match self.text_or_empty()? {
            "" => Err("is empty".to_owned()),
            text => Ok(text),
        }
    }

    /// Text without the blanks and invisible characters at its ends, which values often have if
    /// they come from a file by way of the environment.
    pub(super) fn text_or_empty(&self) -> Result<&str, String> {
        match &self.kind {
            ValueKind::String(text) => Ok(trimmed(text)),
            _ => Err(self.must_be("text in quotes")),
        }
    }

    pub(super) fn switch(&self) -> Result<bool, String> {
        match &self.kind {
            ValueKind::Boolean(value) => Ok(*value),
            ValueKind::String(text) if self.is_untyped => text
                .trim()
                .to_ascii_lowercase()
                .parse()
                .map_err(|_| "must be true or false".to_owned()),
            _ => Err(self.must_be("true or false")),
        }
    }

    pub(super) fn whole<T>(&self, range: RangeInclusive<T>) -> Result<T, String>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let number = match &self.kind {
            ValueKind::I64(number) => Some(*number),
            ValueKind::String(text) if self.is_untyped => text.trim().parse().ok(),
            _ => return Err(self.must_be(&expected)),
        };
        number
            .and_then(|number| T::try_from(number).ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| format!("must be {expected}"))
    }

    pub(super) fn number(&self, range: RangeInclusive<f64>) -> Result<f64, String> {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        let number = match &self.kind {
            // By way of text, because there is no lossless cast; the range is checked below.
            ValueKind::I64(number) => number.to_string().parse().ok(),
            ValueKind::Float(number) => Some(*number),
            ValueKind::String(text) if self.is_untyped => text.trim().parse().ok(),
            _ => return Err(self.must_be(&expected)),
        };
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| format!("must be {expected}"))
    }

    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Result<Duration, String> {
        let text = match &self.kind {
            ValueKind::String(text) => text.trim().to_owned(),
            ValueKind::I64(_) | ValueKind::Float(_) => self.kind.to_string(),
            _ => return Err(self.must_be("a duration in quotes, such as \"30s\" or \"15m\"")),
        };
        if text.starts_with(|c: char| c.is_ascii_digit())
            && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.'))
        {
            return Err(format!(
                "has no unit; write \"{text}s\" if seconds are meant"
            ));
        }
        let [min, max] = [range.start(), range.end()].map(|end| humantime::format_duration(*end));
        match humantime::parse_duration(&text) {
            Ok(duration) if range.contains(&duration) => Ok(duration),
            Ok(_) => Err(format!("must be from {min} to {max}")),
            Err(_) => Err("must be a duration such as \"30s\", \"15m\" or \"1h 30m\"".to_owned()),
        }
    }

    /// The value whose name is given.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, String> {
        let text = self.text()?;
        choices
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, value)| *value)
            .ok_or_else(|| {
                let names: Vec<_> = choices.iter().map(|(name, _)| quoted(name)).collect();
                format!("must be one of {}", names.join(", "))
            })
    }

    /// Each entry converted; the error names faulty entries by their position, from 1.
    pub(super) fn list<T>(
        &self,
        convert: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let entries: Vec<Value> = match &self.kind {
            ValueKind::Array(entries) => entries.clone(),
            // Separated by commas or line breaks, or written as in the configuration file.
            ValueKind::String(text) if self.is_untyped => text
                .trim()
                .trim_start_matches('[')
                .trim_end_matches(']')
                .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
                .map(|entry| entry.trim().trim_matches(['"', '\'']))
                .filter(|entry| !entry.is_empty())
                .map(Value::from)
                .collect(),
            _ => return Err(self.must_be("a list of texts, such as [\"…\", \"…\"]")),
        };
        let mut converted = Vec::with_capacity(entries.len());
        let mut problems = Vec::new();
        for (position, entry) in (1..).zip(entries) {
            match &entry.kind {
                ValueKind::String(text) => match convert(text) {
                    Ok(value) => converted.push(value),
                    Err(problem) => {
                        problems.push(format!("entry {position}, {}, {problem}", quoted(text)));
                    }
                },
                other => problems.push(format!(
                    "entry {position} must be text in quotes, not {}",
                    type_name(other)
                )),
            }
        }
        if problems.is_empty() {
            return Ok(converted);
        }
        let further = problems.len().saturating_sub(MAX_ENTRIES_NAMED);
        problems.truncate(MAX_ENTRIES_NAMED);
        if further > 0 {
            problems.push(format!("and {further} more"));
        }
        Err(problems.join("; "))
    }

    fn must_be(&self, expected: &str) -> String {
        format!("must be {expected}, not {}", type_name(&self.kind))
    }
}

fn type_name(kind: &ValueKind) -> &'static str {
    match kind {
        ValueKind::Nil => "nothing",
        ValueKind::Boolean(_) => "true or false",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => {
            "a whole number"
        }
        ValueKind::Float(_) => "a number with a fraction",
        ValueKind::String(_) => "text in quotes",
        ValueKind::Table(_) => "a section",
        ValueKind::Array(_) => "a list",
    }
}

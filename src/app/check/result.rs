//! The result of each part, and the lines that are printed. Pure.

use crate::retry::Remedy;

/// How the check of one part ended.
pub(super) struct PartResult {
    part: &'static str,
    what: String,
    /// What mends the fault; none if there is none.
    remedy: Option<Remedy>,
}

impl PartResult {
    pub(super) fn ok(part: &'static str, what: impl Into<String>) -> Self {
        Self {
            part,
            what: what.into(),
            remedy: None,
        }
    }

    pub(super) fn faulty(part: &'static str, what: impl Into<String>, remedy: Remedy) -> Self {
        Self {
            remedy: Some(remedy),
            ..Self::ok(part, what)
        }
    }

    pub(super) fn is_ok(&self) -> bool {
        self.remedy.is_none()
    }
}

/// A line for each part, and the remedy of the last line. The last line is the fault to mend first:
/// one that needs a person comes before one that may pass.
pub(super) fn lines(results: &[PartResult]) -> (Vec<String>, Option<Remedy>) {
    let line = |kind: &str, PartResult { part, what, .. }: &PartResult| {
        format!("{kind}  {part:<14} {what}")
    };
    let (ok, mut faulty): (Vec<_>, Vec<_>) = results.iter().partition(|result| result.is_ok());
    let mut lines: Vec<String> = ok.into_iter().map(|result| line("ok  ", result)).collect();
    let first = [Remedy::Configuration, Remedy::Person, Remedy::Time]
        .into_iter()
        .find_map(|remedy| {
            faulty
                .iter()
                .position(|result| result.remedy == Some(remedy))
        })
        .map(|first| faulty.remove(first));
    lines.extend(faulty.iter().map(|result| line("mend", result)));
    if let Some(PartResult { part, what, .. }) = first {
        let first = if faulty.is_empty() { "" } else { "first: " };
        lines.push(format!("mend  {part:<14} {first}{what}"));
    }
    (lines, first.and_then(|result| result.remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_first_thing_to_mend() {
        let results = [
            PartResult::faulty("database", "away", Remedy::Time),
            PartResult::ok("schema", "up to date"),
            PartResult::faulty("sign-in", "refused", Remedy::Person),
            PartResult::faulty("MFA", "missing", Remedy::Person),
        ];
        let (said, remedy) = lines(&results);
        let expected = [
            "ok    schema         up to date",
            "mend  database       away",
            "mend  MFA            missing",
            "mend  sign-in        first: refused",
        ];
        assert_eq!(said, expected);
        assert_eq!(remedy, Some(Remedy::Person));
        let (said, remedy) = lines(&results[..2]);
        assert_eq!(said.last().unwrap(), "mend  database       away");
        assert_eq!(remedy, Some(Remedy::Time));
        assert_eq!(lines(&results[1..2]).1, None);
    }
}

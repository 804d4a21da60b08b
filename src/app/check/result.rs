//! The result of each part, and the lines or the JSON that are printed. Pure.

use serde::Serialize;

use crate::retry::Remedy;

/// How the check of one part ended.
#[derive(Serialize)]
pub(super) struct PartResult {
    part: &'static str,
    what: String,
    /// What mends the fault; none if there is none.
    remedy: Option<Remedy>,
}

/// What `check --json` prints.
#[derive(Serialize)]
pub(super) struct CheckForm<'a> {
    version: u32,
    ok: bool,
    /// The part to mend first.
    first: Option<&'static str>,
    parts: &'a [PartResult],
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

    /// The result for a person, with a `mark` before its words.
    pub(super) fn line(&self, mark: &str) -> String {
        let Self { part, what, .. } = self;
        let kind = if self.is_ok() { "ok  " } else { "mend" };
        format!("{kind}  {part:<14} {mark}{what}")
    }
}

/// The place of the fault to mend first, and its remedy: what needs a person comes before what may
/// pass.
pub(super) fn first(results: &[PartResult]) -> Option<(usize, Remedy)> {
    let mut remedies = [Remedy::Configuration, Remedy::Person, Remedy::Time].into_iter();
    remedies.find_map(|remedy| {
        let mut results = results.iter();
        let place = results.position(|result| result.remedy == Some(remedy))?;
        Some((place, remedy))
    })
}

/// A line for each fault. The last line is the fault to mend first.
pub(super) fn faults(results: &[PartResult]) -> Vec<String> {
    let Some((first, _)) = first(results) else {
        return Vec::new();
    };
    let others = results.iter().enumerate();
    let others = others.filter(|(place, result)| !result.is_ok() && *place != first);
    let mut lines: Vec<String> = others.map(|(_, result)| result.line("")).collect();
    let mark = if lines.is_empty() { "" } else { "first: " };
    lines.push(results[first].line(mark));
    lines
}

/// The same as one JSON object.
pub(super) fn form(results: &[PartResult]) -> CheckForm<'_> {
    let first = first(results).map(|(place, _)| results[place].part);
    CheckForm {
        version: 1,
        ok: first.is_none(),
        first,
        parts: results,
    }
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
        assert_eq!(results[1].line(""), "ok    schema         up to date");
        let said = faults(&results);
        let expected = [
            "mend  database       away",
            "mend  MFA            missing",
            "mend  sign-in        first: refused",
        ];
        assert_eq!(said, expected);
        assert_eq!(first(&results), Some((2, Remedy::Person)));
        assert_eq!(faults(&results[..2]), ["mend  database       away"]);
        assert_eq!(first(&results[..2]), Some((0, Remedy::Time)));
        assert_eq!(first(&results[1..2]), None);
        assert!(faults(&results[1..2]).is_empty());
    }

    #[test]
    fn the_json_form_names_the_first_thing_to_mend() {
        let results = [
            PartResult::ok("schema", "up to date"),
            PartResult::faulty("sign-in", "refused", Remedy::Person),
        ];
        insta::assert_snapshot!(serde_json::to_string_pretty(&form(&results)).unwrap(), @r#"
        {
          "version": 1,
          "ok": false,
          "first": "sign-in",
          "parts": [
            {
              "part": "schema",
              "what": "up to date",
              "remedy": null
            },
            {
              "part": "sign-in",
              "what": "refused",
              "remedy": "person"
            }
          ]
        }
        "#);
    }
}

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

/// A line for each part. The last line is the fault to mend first.
pub(super) fn lines(results: &[PartResult]) -> Vec<String> {
    let first = first(results).map(|(place, _)| place);
    let rank = |place: usize| (!results[place].is_ok(), Some(place) == first);
    let mut places: Vec<usize> = (0..results.len()).collect();
    places.sort_by_key(|place| rank(*place));
    let faults = results.iter().filter(|result| !result.is_ok()).count();
    let line = |place: usize| {
        let PartResult { part, what, .. } = &results[place];
        let (kind, first) = match rank(place) {
            (false, _) => ("ok  ", ""),
            (true, is_first) if is_first && faults > 1 => ("mend", "first: "),
            (true, _) => ("mend", ""),
        };
        format!("{kind}  {part:<14} {first}{what}")
    };
    places.into_iter().map(line).collect()
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
        let said = lines(&results);
        let expected = [
            "ok    schema         up to date",
            "mend  database       away",
            "mend  MFA            missing",
            "mend  sign-in        first: refused",
        ];
        assert_eq!(said, expected);
        assert_eq!(first(&results), Some((2, Remedy::Person)));
        let said = lines(&results[..2]);
        assert_eq!(said.last().unwrap(), "mend  database       away");
        assert_eq!(first(&results[..2]), Some((0, Remedy::Time)));
        assert_eq!(first(&results[1..2]), None);
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

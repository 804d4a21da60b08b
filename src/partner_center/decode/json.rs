//! One JSON value, kept as its text, and the elements of a list one by one.

use std::borrow::Cow;
use std::fmt;
use std::ops::ControlFlow;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The text of one JSON value, without white space around it.
#[derive(Debug, Clone, Copy)]
pub(in crate::partner_center) struct Json<'a> {
    text: &'a str,
    /// Whether it is known to be a string without escapes, which need not be scanned for them.
    is_plain_string: bool,
}

impl<'a> Json<'a> {
    /// The caller guarantees that `text` is one JSON value.
    pub(in crate::partner_center) fn new(text: &'a str) -> Self {
        Self {
            text,
            is_plain_string: false,
        }
    }

    /// The caller guarantees that `text` is a JSON string without escapes.
    pub(in crate::partner_center) fn plain_string(text: &'a str) -> Self {
        Self {
            text,
            is_plain_string: true,
        }
    }

    pub(in crate::partner_center) fn get(self) -> &'a str {
        self.text
    }

    pub(in crate::partner_center) fn is_string(self) -> bool {
        self.text.starts_with('"')
    }

    /// The content of a string; `None` for any other value and for a string that holds an unpaired
    /// surrogate.
    pub(in crate::partner_center) fn as_str(self) -> Option<Cow<'a, str>> {
        let content = self.text.strip_prefix('"')?.strip_suffix('"')?;
        if !self.is_plain_string && content.contains('\\') {
            serde_json::from_str(self.text).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(content))
        }
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|value| Self::new(value.get()))
    }
}

/// Calls `visit` with each element of a list until `visit` breaks. Collecting the elements would
/// take many times the memory of their text if they are small.
///
/// # Errors
/// When `list` is not a list.
pub(in crate::partner_center) fn for_each<'a>(
    list: Json<'a>,
    visit: impl FnMut(Json<'a>) -> ControlFlow<()>,
) -> serde_json::Result<ControlFlow<()>> {
    struct Elements<'b, F> {
        visit: F,
        is_stopped: &'b mut bool,
    }
    impl<'de, F: FnMut(Json<'de>) -> ControlFlow<()>> Visitor<'de> for Elements<'_, F> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }
        fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
            while let Some(element) = list.next_element()? {
                if (self.visit)(element).is_break() {
                    *self.is_stopped = true;
                    // Returning without an error would make serde_json parse the rest of the list.
                    return Err(A::Error::custom("stopped"));
                }
            }
            Ok(())
        }
    }
    let mut is_stopped = false;
    let elements = Elements {
        visit,
        is_stopped: &mut is_stopped,
    };
    let parsed = serde_json::Deserializer::from_str(list.get()).deserialize_seq(elements);
    if is_stopped {
        return Ok(ControlFlow::Break(()));
    }
    parsed.map(ControlFlow::Continue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_not_parsed_beyond_the_element_at_which_the_visitor_stops() {
        // What follows the third element is not JSON.
        let list = Json::new("[0,0,0,surprise");
        let mut seen = 0;
        let flow = for_each(list, |_| {
            seen += 1;
            if seen == 3 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!((flow.unwrap(), seen), (ControlFlow::Break(()), 3));
        assert!(for_each(Json::new("{}"), |_| ControlFlow::Continue(())).is_err());
    }
}

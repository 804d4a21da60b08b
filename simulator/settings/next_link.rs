//! How a list points to its next page.

use serde::{Deserialize, Serialize};

/// The forms of a next link that Partner Center has been seen to use, and two faulty ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NextLinkForm {
    WithV1,
    WithoutV1,
    NoSlash,
    Absolute,
    /// Absolute, to a host that must not be given the token.
    Foreign,
    /// A link to the same page, so that following it never ends.
    Repeat,
}

impl NextLinkForm {
    /// A link of this form. `version` is the first part of the path, such as `v1`;
    /// `foreign_origin` is where a foreign link points to.
    pub(crate) fn link(
        self,
        foreign_origin: &str,
        origin: &str,
        version: &str,
        path: &str,
    ) -> String {
        match self {
            Self::WithV1 => format!("/{version}/{path}"),
            Self::WithoutV1 | Self::Repeat => format!("/{path}"),
            Self::NoSlash => path.to_owned(),
            Self::Absolute => format!("{origin}/{version}/{path}"),
            Self::Foreign => {
                let origin = foreign_origin.trim_end_matches('/');
                format!("{origin}/{version}/{path}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_the_next_link_is_as_it_was_seen() {
        for (form, expected) in [
            (NextLinkForm::WithV1, "/v1/customers?size=5"),
            (NextLinkForm::WithoutV1, "/customers?size=5"),
            (NextLinkForm::NoSlash, "customers?size=5"),
            (
                NextLinkForm::Absolute,
                "http://127.0.0.1:80/v1/customers?size=5",
            ),
            (
                NextLinkForm::Foreign,
                "http://other.example/v1/customers?size=5",
            ),
        ] {
            let path = "customers?size=5";
            let link = form.link("http://other.example/", "http://127.0.0.1:80", "v1", path);
            assert_eq!(link, expected);
        }
    }
}

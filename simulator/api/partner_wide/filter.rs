//! The parameter `filter` of the partner-wide collections: columns compared with quoted texts by
//! `eq` and `ne`, combined by `and`, `or` and parentheses. Everything else is refused, because the
//! real API might not support it.

use uuid::Uuid;

use crate::world::Dataset;

/// Maximum depth of nested parentheses. The parser is recursive, so without a bound they could
/// overflow the stack.
const MAX_DEPTH: u32 = 16;

/// A column that a filter can compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FilterField {
    WorkloadCode,
    WorkloadName,
    ServiceCode,
    ServiceName,
    Channel,
    CustomerTenantId,
    CustomerName,
    ProductId,
    ProductName,
}

impl FilterField {
    fn parse(name: &str, dataset: Dataset) -> Option<Self> {
        let field = match name {
            "workloadCode" => Self::WorkloadCode,
            "workloadName" => Self::WorkloadName,
            "serviceCode" => Self::ServiceCode,
            "serviceName" => Self::ServiceName,
            "channel" => Self::Channel,
            "customerTenantId" => Self::CustomerTenantId,
            "customerName" => Self::CustomerName,
            "productId" => Self::ProductId,
            "productName" => Self::ProductName,
            _ => return None,
        };
        let of_workload = matches!(field, Self::WorkloadCode | Self::WorkloadName);
        (dataset == Dataset::Usage || !of_workload).then_some(field)
    }
}

/// A condition on rows.
#[derive(Debug, PartialEq)]
pub(crate) enum Filter {
    Any(Vec<Self>),
    All(Vec<Self>),
    Compare {
        field: FilterField,
        equal: bool,
        value: String,
    },
}

impl Filter {
    /// Parses a condition on the rows of `dataset`.
    ///
    /// # Errors
    /// When it is not valid: what is wrong, and where.
    pub(crate) fn parse(text: &str, dataset: Dataset) -> Result<Self, String> {
        let mut parser = FilterParser {
            rest: text.trim_start(),
            dataset,
            depth: 0,
        };
        let filter = parser.any()?;
        if parser.rest.is_empty() {
            Ok(filter)
        } else {
            Err(parser.expected("and, or, or the end"))
        }
    }

    /// Whether a row meets it. Letter case is ignored: the documented `serviceCode eq 'O365'` finds
    /// rows with `o365`.
    pub(crate) fn matches<'a>(&self, value_of: &dyn Fn(FilterField) -> &'a str) -> bool {
        match self {
            Self::Any(parts) => parts.iter().any(|part| part.matches(value_of)),
            Self::All(parts) => parts.iter().all(|part| part.matches(value_of)),
            Self::Compare {
                field,
                equal,
                value,
            } => value_of(*field).eq_ignore_ascii_case(value) == *equal,
        }
    }

    /// The only customers whose rows can meet it, if it names any.
    pub(crate) fn customers(&self) -> Option<Vec<Uuid>> {
        match self {
            Self::Any(parts) => {
                let all: Option<Vec<_>> = parts.iter().map(Self::customers).collect();
                all.map(|all| all.into_iter().flatten().collect())
            }
            Self::All(parts) => parts.iter().find_map(Self::customers),
            Self::Compare {
                field: FilterField::CustomerTenantId,
                equal: true,
                value,
            } => Some(Uuid::try_parse(value).into_iter().collect()),
            Self::Compare { .. } => None,
        }
    }
}

struct FilterParser<'a> {
    rest: &'a str,
    dataset: Dataset,
    depth: u32,
}

impl<'a> FilterParser<'a> {
    fn any(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.all()?];
        while self.takes_word("or") {
            parts.push(self.all()?);
        }
        Ok(single_or(parts, Filter::Any))
    }

    fn all(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.term()?];
        while self.takes_word("and") {
            parts.push(self.term()?);
        }
        Ok(single_or(parts, Filter::All))
    }

    fn term(&mut self) -> Result<Filter, String> {
        if let Some(inner) = self.rest.strip_prefix('(') {
            self.rest = inner.trim_start();
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err("The filter has too many parentheses.".to_owned());
            }
            let filter = self.any()?;
            self.depth -= 1;
            let Some(after) = self.rest.strip_prefix(')') else {
                return Err(self.expected("a closing parenthesis"));
            };
            self.rest = after.trim_start();
            return Ok(filter);
        }
        let name = self.word();
        let Some(field) = FilterField::parse(name, self.dataset) else {
            return Err(format!(
                "The filter names no field of the collection: '{name}'."
            ));
        };
        self.skip(name);
        let equal = if self.takes_word("eq") {
            true
        } else if self.takes_word("ne") {
            false
        } else {
            return Err(self.expected("eq or ne"));
        };
        let value = self.quoted()?;
        Ok(Filter::Compare {
            field,
            equal,
            value,
        })
    }

    fn word(&self) -> &'a str {
        let end = self
            .rest
            .find(|letter: char| !letter.is_ascii_alphanumeric());
        &self.rest[..end.unwrap_or(self.rest.len())]
    }

    fn skip(&mut self, word: &str) {
        self.rest = self.rest[word.len()..].trim_start();
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is_next = self.word() == word;
        if is_next {
            self.skip(word);
        }
        is_next
    }

    // A quote within the text is written twice.
    fn quoted(&mut self) -> Result<String, String> {
        let mut rest = self.rest.strip_prefix('\'');
        let mut value = String::new();
        while let Some((part, after)) = rest.and_then(|rest| rest.split_once('\'')) {
            value.push_str(part);
            rest = after.strip_prefix('\'');
            if rest.is_none() {
                self.rest = after.trim_start();
                return Ok(value);
            }
            value.push('\'');
        }
        Err(self.expected("a text in single quotes"))
    }

    fn expected(&self, wanted: &str) -> String {
        let found: String = self.rest.chars().take(20).collect();
        format!("The filter should have {wanted} at '{found}'.")
    }
}

fn single_or(mut parts: Vec<Filter>, several: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            several(parts)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04";

    fn parse(text: &str) -> Result<Filter, String> {
        Filter::parse(text, Dataset::Usage)
    }

    fn matches(text: &str) -> bool {
        parse(text).unwrap().matches(&|field| match field {
            FilterField::CustomerTenantId => "4D3CF487-70F4-4E1E-9FF1-B2BFCE8D9F04",
            FilterField::ProductName => "Bob's (small) Suite",
            FilterField::WorkloadCode => "SFB",
            _ => "reseller",
        })
    }

    #[test]
    fn comparisons_are_combined_as_documented() {
        assert!(matches(&format!("customerTenantId eq '{ID}'")));
        assert!(matches("workloadCode eq 'SFB' or (channel eq 'Direct')"));
        assert!(!matches("workloadCode ne 'sfb'"));
        assert!(matches("productName eq 'Bob''s (small) Suite'"));
        // `and` binds more closely than `or`.
        assert!(matches(
            "channel eq 'Reseller' or channel eq 'x' and channel eq 'y'"
        ));
        assert!(!matches(
            "(channel eq 'Reseller' or channel eq 'x') and channel eq 'y'"
        ));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "channel",
            "channel eq reseller",
            "channel eq 'reseller",
            "channel gt 'reseller'",
            "channel EQ 'reseller'",
            "licensesActive eq '1'",
            "startswith(customerName,'A')",
            "channel eq 'a' channel eq 'b'",
            "(channel eq 'a'",
            "channel eq 'a')",
            "not channel eq 'a'",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&format!("{}channel eq 'a'", "(".repeat(9_000))).is_err());
        let of_workload = Filter::parse("workloadCode eq 'EXO'", Dataset::Deployment);
        assert!(of_workload.is_err());
    }

    #[test]
    fn customers_are_named_only_if_every_row_must_belong_to_one_of_them() {
        let customers = |text: &str| parse(text).unwrap().customers();
        let id = Uuid::try_parse(ID).unwrap();
        let is = format!("customerTenantId eq '{ID}'");
        assert_eq!(customers(&is), Some(vec![id]));
        assert_eq!(customers(&format!("{is} or {is}")), Some(vec![id, id]));
        assert_eq!(
            customers(&format!("channel eq 'x' and ({is})")),
            Some(vec![id])
        );
        assert_eq!(customers(&format!("channel eq 'x' or {is}")), None);
        assert_eq!(customers("customerTenantId eq 'nobody'"), Some(vec![]));
        assert_eq!(customers(&is.replace("eq", "ne")), None);
    }
}

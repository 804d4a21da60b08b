//! Whether a client wants a page or JSON.

use axum::http::{HeaderMap, header};

/// Whether the client names HTML in `Accept`, and does not prefer JSON to it. Browsers do; probes
/// and scripts, which send `*/*` or nothing, do not.
pub(in crate::status) fn prefers_html(headers: &HeaderMap) -> bool {
    let html = weight(headers, "text/html");
    html > 0.0 && html >= weight(headers, "application/json")
}

/// The weight that the client gives to a media type by name; 0 if it does not name it.
fn weight(headers: &HeaderMap, wanted: &str) -> f32 {
    let lines = headers.get_all(header::ACCEPT).into_iter();
    let ranges = lines.filter_map(|line| line.to_str().ok());
    ranges
        .flat_map(|line| line.split(','))
        .filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_wanted = parts.next()?.eq_ignore_ascii_case(wanted);
            let weight = parts.find_map(|part| {
                let (name, weight) = part.split_once('=')?;
                name.trim_end().eq_ignore_ascii_case("q").then_some(weight)
            });
            let weight = weight.unwrap_or("1").trim_start();
            is_wanted.then(|| weight.parse().unwrap_or(0.0))
        })
        .fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_for_clients_that_name_it() {
        for (accept, is_html) in [
            (
                &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"][..],
                true,
            ),
            (&["TEXT/HTML"], true),
            (&["application/json, text/html;q=0.5"], false),
            (&["application/json, text/html; Q = 0.5"], false),
            (&["application/json;q=0.5", "text/html"], true),
            (
                &["text/html; charset=utf-8; q=0.7, application/json;q=0.2"],
                true,
            ),
            (&["text/html;q=0, */*"], false),
            (&["text/html;q=x"], false),
            (&["*/*"], false),
            (&["text/*"], false),
            (&["text/plain"], false),
            (&[], false),
            (&[""], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in accept {
                headers.append(header::ACCEPT, line.parse().unwrap());
            }
            assert_eq!(prefers_html(&headers), is_html, "{accept:?}");
        }
    }
}

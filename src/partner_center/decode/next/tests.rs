use serde_json::json;

use super::*;

const BASE: &str = "https://api.example";
const CURRENT: &str = "https://api.example/v1/customers/1/analytics/licenses/usage";

fn next(body: &Value) -> Result<Option<NextLink>, NextLinkError> {
    let body = body.to_string();
    let envelope: Envelope<'_> = serde_json::from_str(&body).unwrap();
    find_next_link(&envelope, None)
}

fn url(body: &Value) -> Option<String> {
    let next = next(body).unwrap()?;
    Some(next.request(BASE, "v1", CURRENT).unwrap().url)
}

#[test]
fn a_next_link_is_found_in_any_form() {
    for body in [
        json!({"links": {"next": {"uri": "/v1/x?page=2"}}}),
        json!({"Links": {"Next": {"Uri": "x?page=2", "method": "GET", "headers": []}}}),
        json!({"links": {"next": "/x?page=2"}}),
        json!({"links": {"self": {"uri": "/x"}, "next": {"href": "/x?page=2"}}}),
        json!({"links": [{"rel": "self", "href": "/x"}, {"rel": "Next", "href": "/x?page=2"}]}),
        json!({"_links": {"next": {"href": "https://api.example/v1/x?page=2"}}}),
        json!({"paging": {"nextLink": "/x?page=2"}}),
        json!({"pagination": {"next": {"url": "/x?page=2"}}}),
        json!({"@nextLink": "/x?page=2"}),
        json!({"@odata.nextLink": "https://api.example/v1/x?page=2"}),
        json!({"odata.nextLink": "x?page=2"}),
        json!({"NEXTLINK": "x?page=2"}),
        json!({"next": "x?page=2"}),
        json!({"next": {"uri": "x?page=2"}}),
        json!({"nextPageLink": "x?page=2", "hasMore": true}),
        json!({"nextLink": null, "@nextLink": "x?page=2"}),
    ] {
        let expected = "https://api.example/v1/x?page=2";
        assert_eq!(url(&body).as_deref(), Some(expected), "{body}");
    }
    let query_only = url(&json!({"nextLink": "?skip=2"}));
    assert_eq!(query_only, Some(format!("{CURRENT}?skip=2")));
}

#[test]
fn null_empty_and_false_members_are_no_links() {
    for body in [
        json!({}),
        json!({"links": {}}),
        json!({"links": null, "_links": [], "paging": 7}),
        json!({"links": {"next": null}}),
        json!({"links": {"next": {}}}),
        json!({"links": {"next": {"uri": " ", "headers": [{"key": "a", "value": "b"}]}}}),
        json!({"links": {"self": {"uri": "/x"}, "previous": {"uri": "/y"}}}),
        json!({"links": [{"rel": "self", "href": "/x"}]}),
        json!({"nextLink": ""}),
        json!({"next": false, "hasMore": false}),
        json!({"next": []}),
        json!({"continuationToken": ""}),
        json!({"continuationToken": null}),
    ] {
        assert_eq!(next(&body), Ok(None), "{body}");
    }
}

#[test]
fn a_next_page_that_cannot_be_requested_is_an_error() {
    for (body, told) in [
        (json!({"nextLink": 2}), NextLinkError::NotText),
        (json!({"next": ["x"]}), NextLinkError::NotText),
        (
            json!({"links": {"next": {"uri": 2}}}),
            NextLinkError::NotText,
        ),
        (
            json!({"continuationToken": {"a": 1}}),
            NextLinkError::NotText,
        ),
        (json!({"next": true}), NextLinkError::NoTarget),
        (json!({"hasMore": true}), NextLinkError::NoTarget),
        (json!({"IsTruncated": true}), NextLinkError::NoTarget),
        (
            json!({"nextLink": "x".repeat(20_000)}),
            NextLinkError::TooLong,
        ),
        (
            json!({"links": {"next": "x".repeat(200_000)}}),
            NextLinkError::TooLong,
        ),
    ] {
        assert_eq!(next(&body), Err(told), "{body}");
    }
    let half: Envelope<'_> = serde_json::from_str(r#"{"nextLink":"\ud800"}"#).unwrap();
    assert_eq!(find_next_link(&half, None), Err(NextLinkError::NotText));
    let abroad = next(&json!({"nextLink": "https://evil.example/v1/x"})).unwrap();
    let request = abroad.unwrap().request(BASE, "v1", CURRENT);
    assert_eq!(request, Err(NextLinkError::ForeignHost));
}

#[test]
fn a_continuation_token_is_sent_back_in_a_header() {
    let header = |key: &str| json!([{"key": key, "value": "t1"}]);
    for (body, name) in [
        (
            json!({"links": {"next": {"uri": "/x", "headers": header("MS-ContinuationToken")}}}),
            CONTINUATION,
        ),
        (
            json!({"links": {"next": {"uri": "/x"}}, "continuationToken": "t1"}),
            CONTINUATION,
        ),
        (
            json!({
                "links": {"next": {"uri": "/x", "headers": header("X-Own")}},
                "continuationToken": "t2",
            }),
            "x-own",
        ),
    ] {
        let request = next(&body)
            .unwrap()
            .unwrap()
            .request(BASE, "v1", CURRENT)
            .unwrap();
        assert_eq!(request.headers.get(name).unwrap(), "t1", "{body}");
        assert_eq!(
            (request.headers.len(), request.url.as_str()),
            (1, "https://api.example/v1/x")
        );
    }
    let bare = next(&json!({"continuationToken": "t1"})).unwrap().unwrap();
    let request = bare.request(BASE, "v1", CURRENT).unwrap();
    assert_eq!(request.url, format!("{CURRENT}?seekOperation=Next"));
    let further = bare.request(BASE, "v1", &request.url).unwrap();
    assert_eq!(further.url, request.url);
    assert_eq!(further.fingerprint(), request.fingerprint());
    let displacing = json!({"next": {"uri": "/x", "headers": header("Authorization")}});
    let request = next(&displacing)
        .unwrap()
        .unwrap()
        .request(BASE, "v1", CURRENT);
    assert!(request.unwrap().headers.is_empty());
}

#[test]
fn a_link_is_found_in_headers_too() {
    let headers = |pairs: &[(&'static str, &str)]| -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            )
        });
        pairs.collect()
    };
    let none = HeaderMap::new();
    for (value, uri) in [
        ("</v1/x?a=1,2;b>; rel=\"next\"", Some("/v1/x?a=1,2;b")),
        (
            "</v1/p>; rel=prev, </v1/x>; title=\"y\"; REL=Next",
            Some("/v1/x"),
        ),
        ("</v1/x>; rel=\"last next\"", Some("/v1/x")),
        ("</v1/style.css>; rel=preload; as=style", None),
        ("<>; rel=next", None),
        ("</v1/x", None),
        ("nothing", None),
    ] {
        let found = link_in_headers(&headers(&[("link", value)]), &none);
        assert_eq!(found.and_then(|next| next.uri).as_deref(), uri, "{value}");
    }
    let answered = headers(&[("ms-continuationtoken", "t1")]);
    let token = link_in_headers(&answered, &none).unwrap();
    assert_eq!(token.headers, [(CONTINUATION.to_owned(), "t1".to_owned())]);
    assert_eq!(link_in_headers(&answered, &answered), None);
    assert_eq!(link_in_headers(&none, &none), None);
    let envelope: Envelope<'_> = serde_json::from_str("{}").unwrap();
    assert_eq!(find_next_link(&envelope, Some(&token)), Ok(Some(token)));
}

//! The simulator itself, over HTTP: what it says when the gateway throttles or refuses, what its
//! partner-wide collections hold, and what changes from one simulated day to the next.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::support::Simulator;

/// A client of the API, with an access token.
struct Caller {
    simulator: Simulator,
    http: reqwest::Client,
    token: String,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn rows(&self, member: &str) -> &[Value] {
        self.body[member].as_array().unwrap()
    }
}

impl Caller {
    async fn new(arguments: &[&str]) -> Self {
        let simulator = Simulator::start(&[&["--today", "2026-05-04"], arguments].concat()).await;
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_mins(1))
            .build()
            .unwrap();
        let token = simulator.post("access-token", String::new()).await;
        Self {
            simulator,
            http,
            token,
        }
    }

    async fn get_with(&self, path: &str, header: (&str, &str)) -> Answer {
        let url = format!("{}{path}", self.simulator.base_url);
        let call = self.http.get(url).bearer_auth(&self.token);
        let answer = call.header(header.0, header.1).send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap();
        Answer {
            status,
            headers,
            body,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.get_with(path, ("Accept", "application/json")).await
    }

    async fn customers(&self) -> Vec<String> {
        self.simulator.customers().await
    }
}

fn usage_of(id: &str) -> String {
    format!("/v1/customers/{id}/analytics/licenses/usage")
}

fn deployment_of(id: &str) -> String {
    format!("/v1/customers/{id}/analytics/licenses/deployment")
}

const ALL_USAGE: &str = "/v1/analytics/commercial/usage/license/";
const ALL_DEPLOYMENT: &str = "/partner/v1/analytics/commercial/deployment/license";

#[tokio::test]
async fn a_spent_burst_is_refused_in_the_form_asked_for_and_counted() {
    let caller = Caller::new(&["--rate-limit", "0.001", "--burst", "3"]).await;
    for expected in [200, 200, 200, 429] {
        assert_eq!(caller.get("/v1/customers?size=5").await.status, expected);
    }
    let seconds = caller.get("/v1/customers?size=5").await;
    let seconds: u64 = seconds.header("retry-after").unwrap().parse().unwrap();
    assert!((900..=1001).contains(&seconds), "{seconds}");
    caller.simulator.patch(json!({"retry_after": "date"})).await;
    let date = caller.get("/v1/customers?size=5").await;
    let until = httpdate::parse_http_date(date.header("retry-after").unwrap()).unwrap();
    let sent = httpdate::parse_http_date(date.header("date").unwrap()).unwrap();
    assert!((900..=1002).contains(&until.duration_since(sent).unwrap().as_secs()));
    caller.simulator.patch(json!({"retry_after": "none"})).await;
    let without = caller.get("/v1/customers?size=5").await;
    assert_eq!(without.status, 429);
    assert_eq!(without.header("retry-after"), None);
    let stats = caller.simulator.get("stats").await;
    let sum = |member: &str| -> u64 {
        let seconds = stats["per_second"].as_array().unwrap();
        seconds.iter().map(|it| it[member].as_u64().unwrap()).sum()
    };
    assert_eq!((sum("served"), sum("refused")), (3, 4));
}

#[tokio::test]
async fn a_limit_per_customer_spares_the_others_and_a_schedule_starts_at_once() {
    let caller = Caller::new(&["--customer-rate-limit", "0.001"]).await;
    let ids = caller.customers().await;
    for (id, expected) in [(0, 200), (0, 429), (1, 200)] {
        assert_eq!(caller.get(&usage_of(&ids[id])).await.status, expected);
    }
    assert_eq!(caller.get(ALL_USAGE).await.status, 200);
    let schedule = json!({"rate_schedule": [[0, 0.001], [3600, null]]});
    caller.simulator.patch(schedule).await;
    assert_eq!(caller.get(ALL_USAGE).await.status, 200);
    assert_eq!(caller.get(ALL_USAGE).await.status, 429);
}

#[tokio::test]
async fn a_share_of_calls_is_refused_for_lack_of_mfa_and_a_probe_says_so() {
    let caller = Caller::new(&["--customers", "200"]).await;
    let probe = ("ValidateMfa", "true");
    let passed = caller.get_with("/v1/customers?size=1", probe).await;
    assert_eq!(passed.header("ismfacompliant"), Some("true"));
    let unasked = caller.get("/v1/customers?size=1").await;
    assert_eq!(unasked.header("ismfacompliant"), None);
    let some = json!({"mfa_refused_share": 0.5});
    caller.simulator.patch(some).await;
    let mut refused = 0;
    for id in &caller.customers().await[..60] {
        let first = caller.get_with(&usage_of(id), probe).await;
        let again = caller.get(&deployment_of(id)).await;
        assert_eq!(first.status, again.status);
        if first.status == 401 {
            assert_eq!(first.body["code"], "900421");
            assert_eq!(first.header("ismfacompliant"), Some("false"));
            refused += 1;
        }
    }
    assert!((15..45).contains(&refused), "{refused} of 60");
    assert_eq!(caller.get(ALL_USAGE).await.status, 200);
    let all = json!({"mfa_refused_share": 1.0, "mfa_refused_by": "request"});
    caller.simulator.patch(all).await;
    assert_eq!(caller.get(ALL_USAGE).await.status, 401);
}

#[tokio::test]
async fn the_partner_wide_collections_are_paged_through_by_their_links() {
    let caller = Caller::new(&["--customers", "40"]).await;
    let whole = caller.get(ALL_USAGE).await;
    let rows = whole.rows("Value");
    assert_eq!(whole.body["TotalCount"], rows.len());
    assert_eq!(whole.body["@nextLink"], Value::Null);
    let spelt = json!({"max_top": 50, "rows_member": "items", "next_member": "nextLink",
                       "total_member": "totalCount", "active_member": "licenseActive"});
    caller.simulator.patch(spelt).await;
    let mut paged = Vec::new();
    let mut next = Some(ALL_USAGE.to_owned());
    while let Some(path) = next {
        let page = caller.get(&path).await;
        paged.extend(page.rows("items").to_vec());
        let link = page.body["nextLink"].as_str();
        next = link.map(|link| {
            link.strip_prefix(&caller.simulator.base_url)
                .unwrap()
                .to_owned()
        });
    }
    assert_eq!(paged.len(), rows.len());
    for (paged, row) in paged.iter().zip(rows) {
        assert_eq!(paged["licenseActive"], row["licensesActive"]);
        assert_eq!(paged["customerTenantId"], row["customerTenantId"]);
        assert_eq!(paged.get("licensesActive"), None);
    }
    let one = &caller.customers().await[0];
    let filter = format!("{ALL_USAGE}?filter=customerTenantId%20eq%20'{one}'");
    let filtered = caller.get(&filter).await;
    let own = caller.get(&usage_of(one)).await;
    assert_eq!(filtered.body["totalCount"], own.body["totalCount"]);
    let unknown = caller
        .get(&format!("{ALL_USAGE}?filter=price%20gt%201"))
        .await;
    assert_eq!(unknown.status, 400);
}

#[tokio::test]
async fn both_deployment_collections_agree_and_refuse_an_app_without_a_user() {
    let mut caller = Caller::new(&[]).await;
    let one = caller.customers().await[0].clone();
    let own = caller.get(&deployment_of(&one)).await;
    let processed = own.body["items"][0]["processedDateTime"].as_str().unwrap();
    assert!(
        processed.starts_with("2026-05-03T") && processed.contains('.'),
        "{processed}"
    );
    assert_eq!(own.body["items"][0].get("workloadName"), None);
    let filter = format!("{ALL_DEPLOYMENT}?filter=customerTenantId+eq+'{one}'");
    let all = caller.get(&filter).await;
    let figures = |rows: &[Value]| -> Vec<Value> {
        let figures = rows.iter();
        let figures = figures.map(|row| {
            json!([
                row["productName"],
                row["licensesDeployed"],
                row["licensesSold"]
            ])
        });
        figures.collect()
    };
    assert_eq!(figures(own.rows("items")), figures(all.rows("Value")));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "sim-client"),
        ("client_secret", "sim-secret"),
        ("scope", "https://api.partnercenter.microsoft.com/.default"),
    ];
    let url = format!("{}/contoso/oauth2/v2.0/token", caller.simulator.base_url);
    let granted = caller.http.post(url).form(&form).send().await.unwrap();
    let granted: Value = serde_json::from_str(&granted.text().await.unwrap()).unwrap();
    granted["access_token"]
        .as_str()
        .unwrap()
        .clone_into(&mut caller.token);
    for path in [ALL_USAGE, ALL_DEPLOYMENT, &deployment_of(&one)] {
        let refused = caller.get(path).await;
        assert_eq!(refused.status, 403);
        assert_eq!(refused.body["code"], "900329");
    }
}

#[tokio::test]
async fn published_figures_are_restated_on_both_endpoints() {
    let caller = Caller::new(&["--customers", "3"]).await;
    let one = caller.customers().await[0].clone();
    let restate = json!({"restate": {"from": "2026-05-10", "share": 1.0}});
    caller.simulator.patch(restate).await;
    let dated = format!("{ALL_USAGE}?processedDateTime=2026-04-29");
    caller.simulator.set_today("2026-05-09").await;
    let before = caller.get(&dated).await;
    caller.simulator.set_today("2026-05-10").await;
    let after = caller.get(&dated).await;
    assert!(!before.rows("Value").is_empty());
    assert_eq!(before.rows("Value").len(), after.rows("Value").len());
    assert_ne!(before.body, after.body);
    // A date that the customer's own collection shows two days in a row.
    for day in 1..28 {
        let (today, tomorrow) = (
            format!("2026-06-{day:02}"),
            format!("2026-06-{:02}", day + 1),
        );
        let restate = json!({"restate": {"from": tomorrow, "share": 1.0}});
        caller.simulator.patch(restate).await;
        caller.simulator.set_today(&today).await;
        let first = caller.get(&usage_of(&one)).await;
        caller.simulator.set_today(&tomorrow).await;
        let second = caller.get(&usage_of(&one)).await;
        let date = |answer: &Answer| answer.body["items"][0]["processedDateTime"].clone();
        if date(&first) == date(&second) {
            assert_ne!(first.body, second.body);
            return;
        }
    }
    panic!("no date was shown twice in a month");
}

#[tokio::test]
async fn customers_go_and_come_back_and_the_list_may_shrink() {
    let caller = Caller::new(&["--customers", "40"]).await;
    let one = caller.customers().await[2].clone();
    let listed = async || {
        let mut ids = Vec::new();
        let mut token = ("Accept", "application/json".to_owned());
        loop {
            let page = caller
                .get_with("/v1/customers?size=7", (token.0, &token.1))
                .await;
            ids.extend(page.rows("items").iter().map(|item| item["id"].clone()));
            let header = &page.body["links"]["next"]["headers"][0]["value"];
            match header.as_str() {
                Some(value) => token = ("MS-ContinuationToken", value.to_owned()),
                None => return ids,
            }
        }
    };
    let gone = format!("customers/{one}/gone");
    caller.simulator.post(&gone, String::new()).await;
    let ids = listed().await;
    assert_eq!(ids.len(), 39);
    assert!(!ids.contains(&json!(one)));
    let unknown = caller.get(&usage_of(&one)).await;
    assert_eq!(
        (unknown.status.as_u16(), &unknown.body["code"]),
        (404, &json!("60003"))
    );
    caller
        .simulator
        .patch(json!({"gone_answer": "20002"}))
        .await;
    let unrelated = caller.get(&usage_of(&one)).await;
    assert_eq!(
        (unrelated.status.as_u16(), &unrelated.body["code"]),
        (403, &json!("20002"))
    );
    let back = format!("customers/{one}/back");
    caller.simulator.post(&back, String::new()).await;
    assert_eq!(caller.get(&usage_of(&one)).await.status, 200);
    caller.simulator.patch(json!({"shrink_list": 0.25})).await;
    assert_eq!(listed().await.len(), 10);
}

#[tokio::test]
async fn names_follow_the_locale_and_the_day_while_ids_stay() {
    let caller = Caller::new(&["--customers", "60"]).await;
    let localized = json!({"localized_names": true});
    caller.simulator.patch(localized).await;
    let column = |answer: &Answer, column: &str| -> Vec<Value> {
        let rows = answer.rows("Value").iter();
        rows.map(|row| row[column].clone()).collect()
    };
    let english = caller.get(ALL_USAGE).await;
    let swedish = caller.get_with(ALL_USAGE, ("X-Locale", "sv-SE")).await;
    assert_eq!(column(&english, "productId"), column(&swedish, "productId"));
    assert_ne!(
        column(&english, "productName"),
        column(&swedish, "productName")
    );
    let renamed = json!({"renamed_from": "2026-05-04", "renamed_product": "Microsoft 365 Business \
        Basic",
                         "renamed_to": "Microsoft 365 Basic"});
    caller.simulator.patch(renamed).await;
    let renamed = caller.get(ALL_USAGE).await;
    assert_eq!(column(&english, "productId"), column(&renamed, "productId"));
    assert!(column(&renamed, "productName").contains(&json!("Microsoft 365 Basic")));
    caller.simulator.set_today("2026-05-03").await;
    let day_before = caller.get(ALL_USAGE).await;
    assert!(!column(&day_before, "productName").contains(&json!("Microsoft 365 Basic")));
}

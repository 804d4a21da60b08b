//! The simulator as a child process, and its control calls.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::support::until;

/// A simulated Partner Center. Ends with the test.
pub(crate) struct Simulator {
    pub(crate) base_url: String,
    http: reqwest::Client,
    _child: Child,
}

impl Simulator {
    /// Starts a simulator on a free port. Its day is the real one unless `arguments` name another.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_seatledger-simulator"))
            .args(["--listen", "127.0.0.1:0", "--exit-with-parent"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().unwrap();
        let base_url = line.strip_prefix("listening on ").unwrap().to_owned();
        Self {
            base_url,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(30))
                .build()
                .unwrap(),
            _child: child,
        }
    }

    async fn control(&self, request: reqwest::RequestBuilder) -> String {
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{status}: {text}");
        text
    }

    fn url(&self, path: &str) -> String {
        format!("{}/_sim/{path}", self.base_url)
    }

    /// Makes a control call with this body and returns the answer.
    pub(crate) async fn post(&self, path: &str, body: String) -> String {
        self.control(self.http.post(self.url(path)).body(body))
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let text = self.control(self.http.get(self.url(path))).await;
        serde_json::from_str(&text).unwrap()
    }

    /// Every customer's id.
    pub(crate) async fn customers(&self) -> Vec<String> {
        let ids = self.get("customers").await;
        let ids = ids.as_array().unwrap().iter();
        ids.map(|id| id.as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn set_today(&self, day: &str) {
        self.control(self.http.put(self.url("today")).body(day.to_owned()))
            .await;
    }

    pub(crate) async fn patch(&self, settings: Value) {
        self.control(
            self.http
                .patch(self.url("settings"))
                .body(settings.to_string()),
        )
        .await;
    }

    /// Scripts the next answers of `target`: a customer's id, `usage`, `customers`, `token` or
    /// another endpoint. Ordinary answers follow.
    pub(crate) async fn script(&self, target: &str, answers: Value) {
        self.script_then(target, answers, "normal").await;
    }

    /// Scripts the next answers of `target`. The last one is repeated for ever.
    pub(crate) async fn script_for_ever(&self, target: &str, answers: Value) {
        self.script_then(target, answers, "repeat").await;
    }

    async fn script_then(&self, target: &str, answers: Value, then: &str) {
        let script = json!({ "target": target, "answers": answers, "then": then });
        self.post("script", script.to_string()).await;
    }

    /// Answers the next `answers` requests of `target`, and holds each one after them until
    /// [`Simulator::unscript`].
    pub(crate) async fn hold_after(&self, target: &str, answers: usize) {
        let mut answers = vec![json!({ "normal": true }); answers];
        answers.push(json!({ "normal": true, "held": true }));
        self.script_for_ever(target, json!(answers)).await;
    }

    /// Removes all scripts, and sends the answers that were held.
    pub(crate) async fn unscript(&self) {
        self.control(self.http.delete(self.url("script"))).await;
    }

    /// The received requests of one endpoint, such as `usage`, `customers` or `token`.
    pub(crate) async fn requests(&self, kind: &str) -> Vec<Value> {
        let requests = self.get(&format!("requests?kind={kind}")).await;
        requests.as_array().unwrap().clone()
    }

    /// Waits until `count` requests of a kind were received.
    pub(crate) async fn received(&self, kind: &str, count: usize) {
        let what = format!("{count} requests of the kind {kind} were received");
        until(&what, async || {
            (self.requests(kind).await.len() >= count).then_some(())
        })
        .await;
    }

    /// The form field `member` of each received token request.
    pub(crate) async fn token_forms(&self, member: &str) -> Vec<String> {
        let forms = self.requests("token").await;
        let member = forms.iter().map(|request| &request["form"][member]);
        member
            .map(|value| value.as_str().unwrap_or_default().to_owned())
            .collect()
    }

    pub(crate) async fn forget_requests(&self) {
        self.control(self.http.delete(self.url("requests"))).await;
    }
}

/// A good item of a usage collection, with some members replaced. A null removes the member.
pub(crate) fn item(changes: &Value) -> Value {
    let mut item = json!({
        "customerName": "Contoso",
        "productName": "OFFICE 365 E3",
        "workloadName": "Exchange",
        "licensesActive": 3,
        "licensesQualified": 10,
        "usagePercent": 30.0,
        "processedDateTime": "2026-09-28T00:00:00Z",
        "serviceName": "o365",
        "channel": "reseller",
    });
    for (member, value) in changes.as_object().unwrap() {
        item[member] = value.clone();
    }
    item
}

//! Asks a daemon's status address.

use std::time::Duration;

use serde_json::Value;

use super::{Running, until};

impl Running {
    /// The status address, whose port the daemon chose, from its log.
    pub(crate) async fn status_address(&self) -> String {
        self.says("Serving the status address").await;
        let said = self.stderr();
        let mut lines = said.lines();
        let line = lines.find(|line| line.contains("Serving the status address"));
        let event: Value = serde_json::from_str(line.unwrap()).unwrap();
        format!("http://{}/", event["address"].as_str().unwrap())
    }

    /// The status address of a daemon that waits for its next run, once it knows the database.
    pub(crate) async fn idle_address(&self) -> String {
        self.says("Waiting for the next run").await;
        let address = self.status_address().await.replace("0.0.0.0", "127.0.0.1");
        until("the status address knows the database", async || {
            (get(&address).await.0 == 200).then_some(())
        })
        .await;
        address
    }
}

/// Waits until a daemon has computed what a start computes for the pages of the status address at
/// `base`. Returns the products, which come last.
pub(crate) async fn computed(base: &str) -> String {
    let products = format!("{}/products.json", base.trim_end_matches('/'));
    until("the figures and products are computed", async || {
        let (status, json) = get(&products).await;
        (status == 200).then_some(json)
    })
    .await
}

/// The status and the body of an answer.
pub(crate) async fn get(url: &str) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.get(url).timeout(Duration::from_secs(30));
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

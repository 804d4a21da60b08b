//! A partner whose figures come from the partner-wide collections.

use serde_json::Value;

use crate::support::World;

/// The simulated day. Its newest figures of Office are two days old.
pub(crate) const TODAY: &str = "2026-05-04";

impl World {
    /// A partner with source "commercial" whose customers are all discovered.
    pub(crate) async fn commercial(customers: usize) -> Self {
        let mut world = Self::with_customers(customers).await;
        world.unset("customers.ids");
        world.set("customers.discover", "true");
        world.set("partner_center.source", "commercial");
        world.simulator.set_today(TODAY).await;
        world
    }

    /// Configures these customers in place of discovery.
    pub(crate) fn want(&mut self, ids: &[String]) {
        self.unset("customers.discover");
        self.set("customers.ids", &ids.join(","));
    }

    /// Reads each customer's own collection from now on.
    pub(crate) fn use_source_customer(&mut self) {
        self.set("partner_center.source", "customer");
    }

    /// Reads the partner-wide collections from now on.
    pub(crate) fn use_source_commercial(&mut self) {
        self.set("partner_center.source", "commercial");
    }

    /// Empties every table except that of the migrations.
    pub(crate) async fn empty_the_ledger(&self) {
        self.execute(
            "do $$ declare names text; begin
                 select string_agg(format('%I', tablename), ', ') into names
                 from pg_tables where schemaname = current_schema() and tablename <> \
                 '_sqlx_migrations';
                 execute 'truncate ' || names;
             end $$",
        )
        .await;
    }
}

/// The query of each received request of this kind, in order and as it was sent.
pub(crate) async fn queries(world: &World, kind: &str) -> Vec<String> {
    let requests = world.simulator.requests(kind).await;
    let query = |request: &Value| request["query"].as_str().unwrap().to_owned();
    requests.iter().map(query).collect()
}

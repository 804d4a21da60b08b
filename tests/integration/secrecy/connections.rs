//! The program connects to what its configuration names and to nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use axum::Router;
use url::Url;

use crate::support::{World, get, spawn, until};

/// Host and port of an address in the configuration, or the path of Postgres' socket.
fn peer(url: &str) -> String {
    let url = Url::parse(url).unwrap();
    let port = url.port().unwrap_or(5432);
    let folder = url.query_pairs().find(|(key, _)| key == "host");
    match folder {
        Some((_, folder)) => format!("{folder}/.s.PGSQL.{port}"),
        None => format!("{}:{port}", url.host_str().unwrap()).replace("localhost", "127.0.0.1"),
    }
}

/// The peers of all calls in a trace: those that were connected to, and those that something was
/// sent to without a connection, such as a name server.
fn peers(trace: &Path) -> BTreeSet<String> {
    let trace = std::fs::read_to_string(trace).unwrap();
    let between = |line: &str, before: &str, after: char| {
        let (_, rest) = line.split_once(before)?;
        Some(rest.split_once(after)?.0.to_owned())
    };
    // Over netlink a process asks its own kernel.
    let outside = |line: &&str| line.contains("sa_family=") && !line.contains("AF_NETLINK");
    let named = trace.lines().filter(outside);
    let of = |line: &str| {
        if let Some(socket) = between(line, "sun_path=\"", '"') {
            return socket;
        }
        let host = between(line, "sin_addr=inet_addr(\"", '"');
        let port = between(line, "sin_port=htons(", ')');
        // Any other kind of address is shown as it is, and so is none of those expected.
        host.zip(port)
            .map_or(line.to_owned(), |(host, port)| format!("{host}:{port}"))
    };
    named.map(of).collect()
}

#[tokio::test]
async fn no_other_connection_is_tried_than_to_what_is_configured() {
    let mut world = World::new().await;
    let target = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target_peer = target.local_addr().unwrap().to_string();
    spawn(axum::serve(target, Router::new().fallback(async || "told")).into_future());
    world.set("notify.ping_url", &format!("http://{target_peer}/ping"));
    world.set("schedule.cron", "* * * * * *");
    world.set("status.listen", "127.0.0.1:0");
    let database = peer(world.database_url());
    let api = peer(&world.simulator.base_url);
    let trace = world.folder.path().join("trace");

    for (arguments, others) in [
        (&["check"][..], &[&api, &target_peer][..]),
        (&["--backfill"], &[&api, &target_peer]),
        (&["verify"], &[&api]),
        (&["status"], &[]),
    ] {
        let finished = world.start_traced(&trace, arguments).finish().await;
        assert!(finished.status.success(), "{arguments:?}: {finished:?}");
        let mut expected = BTreeSet::from([database.clone()]);
        expected.extend(others.iter().map(|peer| (*peer).clone()));
        assert_eq!(peers(&trace), expected, "{arguments:?}");
    }

    let daemon = world.start_traced(&trace, &[]);
    let status = daemon.status_address().await;
    until("three ticks have had their runs", async || {
        let sql = "select count(*) from sync_run where kind = 'schedule' and outcome = 'succeeded'";
        (world.value::<i64>(sql).await >= 3).then_some(())
    })
    .await;
    assert_eq!(get(&format!("{status}metrics")).await.0, 200);
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
    assert_eq!(peers(&trace), BTreeSet::from([database, api, target_peer]));
}

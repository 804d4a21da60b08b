//! `check` tests everything that a run needs of the database. If it reports ok, a run succeeds. If
//! a run would fail permanently, both say why and end with exit code 4.

use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{Finished, Server, World};

/// Creates a database on the server and a role of the same name. `how` holds options of the
/// database.
async fn database(world: &World, name: &str, how: &str) {
    for statement in [
        format!("create role {name} login"),
        format!("create database {name} {how}"),
    ] {
        world.execute(&statement).await;
    }
}

fn address(server: &Server, role: &str, database: &str) -> url::Url {
    let mut url = url::Url::parse(&server.url()).unwrap();
    url.set_path(database);
    url.set_username(role).unwrap();
    url
}

/// Executes statements as the superuser in one of the databases.
async fn within(server: &Server, database: &str, statements: &str) {
    let url = address(server, "seatledger", database);
    let pool = sqlx::PgPool::connect(url.as_str()).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned()))
        .execute(&pool)
        .await
        .unwrap_or_else(|error| panic!("{statements}: {error}"));
    pool.close().await;
}

fn line<'a>(finished: &'a Finished, part: &str) -> &'a str {
    let mut lines = finished.stdout.lines();
    lines
        .find(|line| line.get(6..).is_some_and(|rest| rest.starts_with(part)))
        .unwrap_or_else(|| panic!("nothing of {part}: {}{}", finished.stdout, finished.stderr))
}

/// Something that a database lacks, and what `check` says about it. `me` in a statement stands for
/// the ledger's role.
struct Lack {
    /// Options of the database.
    options: &'static str,
    /// What is executed in the empty database.
    before: &'static str,
    /// What is executed after the migrations; none: the migrations are not applied.
    after: Option<&'static str>,
    /// Parameters of the database's address.
    query: &'static str,
    /// The part of `check` that names the fault.
    part: &'static str,
    said: &'static str,
}

const OWNED: &str = "grant create on schema public to me";

/// A fault of a database without tables.
const fn empty(before: &'static str, part: &'static str, said: &'static str) -> Lack {
    Lack {
        options: "",
        before,
        after: None,
        query: "",
        part,
        said,
    }
}

/// A fault of a database with all migrations.
const fn migrated(after: &'static str, part: &'static str, said: &'static str) -> Lack {
    Lack {
        after: Some(after),
        ..empty(OWNED, part, said)
    }
}

const LACKS: [Lack; 15] = [
    empty(
        "",
        "rights",
        "may not create tables in the schema \"public\"",
    ),
    Lack {
        options: "encoding 'SQL_ASCII' template template0 locale 'C'",
        ..empty(OWNED, "database", "SQL_ASCII")
    },
    Lack {
        query: "options=-csearch_path%3Dnowhere",
        ..empty(OWNED, "schema", "no schema of the search path")
    },
    empty(
        "alter role me set default_transaction_read_only = on",
        "database",
        "default_transaction_read_only",
    ),
    migrated(
        "alter table sync_customer owner to seatledger; grant all on sync_customer to me",
        "rights",
        "sync_customer belongs to seatledger",
    ),
    migrated(
        "alter table license_usage owner to seatledger; grant all on license_usage to me",
        "rights",
        "license_usage belongs to seatledger",
    ),
    migrated(
        "revoke insert on sync_customer from me",
        "rights",
        "may not insert in sync_customer",
    ),
    migrated(
        "revoke select on customer_freshness from me",
        "rights",
        "may not select in customer_freshness",
    ),
    migrated(
        "revoke create on schema public from me",
        "rights",
        "may not create tables in public",
    ),
    migrated(
        "revoke execute on function add_license_usage_partitions from public, me",
        "rights",
        "may not execute",
    ),
    migrated(
        "alter table customer enable row level security; \
         alter table customer force row level security",
        "rights",
        "row-level security of customer",
    ),
    migrated(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (29990101000000, 'later', true, '', 0)",
        "schema",
        "29990101000000",
    ),
    migrated(
        "update _sqlx_migrations set success = false",
        "schema",
        "20261128090000",
    ),
    Lack {
        query: "options=-csearch_path%3Dfirst,public",
        ..migrated(
            "create schema first authorization me",
            "schema",
            "the ledger is in the schema \"public\"",
        )
    },
    migrated("drop table consent", "rights", "consent does not exist"),
];

#[tokio::test]
async fn a_missing_right_is_named_by_check_and_by_the_run_before_any_request() {
    let server = Server::start();
    let mut world = World::on_server(&server, 1).await;
    for (number, lack) in LACKS.iter().enumerate() {
        let (part, said) = (lack.part, lack.said);
        let name = format!("ledger{number}");
        let me = |statements: &str| {
            let words = statements.split(' ').map(|word| {
                let bare = word.trim_end_matches([',', ';']);
                if bare == "me" {
                    word.replacen("me", &name, 1)
                } else {
                    word.to_owned()
                }
            });
            words.collect::<Vec<_>>().join(" ")
        };
        database(&world, &name, lack.options).await;
        within(&server, &name, &me(lack.before)).await;
        let mut url = address(&server, &name, &name);
        world.set("database.url", url.as_str());
        if let Some(after) = lack.after {
            world.run(&["migrate"]).await.assert_code(0);
            within(&server, &name, &me(after)).await;
        }
        let query_before = url.query().unwrap_or_default().to_owned();
        url.set_query(Some(&format!("{query_before}&{}", lack.query)));
        world.set("database.url", url.as_str());

        let check = world.run(&["check"]).await;
        check.assert_code(4);
        let line = line(&check, part);
        assert!(
            line.starts_with("mend") && line.contains(said),
            "{number}: {line}"
        );
        assert!(check.stdout.contains("ok    usage"), "{}", check.stdout);

        let asked = world.simulator.requests("usage").await.len();
        for arguments in [&["--backfill"][..], &[]] {
            let run = world.run(arguments).await;
            run.assert_code(4);
        }
        assert_eq!(
            world.simulator.requests("usage").await.len(),
            asked,
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_role_needs_no_right_but_to_create_tables() {
    let server = Server::start();
    let mut world = World::on_server(&server, 2).await;
    database(&world, "plain", "").await;
    let without_temporary =
        "revoke all on database plain from public; grant connect on database plain to plain;
        revoke all on schema public from public; grant usage, create on schema public to plain";
    within(&server, "plain", without_temporary).await;
    world.set("database.url", address(&server, "plain", "plain").as_str());
    let check = world.run(&["check"]).await;
    check.assert_code(0);
    assert!(
        line(&check, "schema").contains("no tables yet"),
        "{}",
        check.stdout
    );
    let made = "select count(*) from pg_class where relowner = 'plain'::regrole";
    within(
        &server,
        "plain",
        &format!("do $$ begin if ({made}) > 0 then raise 'something is left'; end if; end $$"),
    )
    .await;

    world.backfill().await.assert_code(0);
    let check = world.run(&["check"]).await;
    check.assert_code(0);
    assert!(
        line(&check, "schema").contains("up to date"),
        "{}",
        check.stdout
    );
    assert!(
        line(&check, "rights").contains("including a new partition"),
        "{}",
        check.stdout
    );
    assert!(
        line(&check, "database").contains("within this machine"),
        "{}",
        check.stdout
    );
    let untouched = "do $$ begin if (select max(run_id) from sync_run) <> 1
        or exists (select from sync_run where run_id < 1)
        or exists (select from license_usage where processed_date_time > '2100-01-01')
        or to_regclass('license_usage_2199_01_01') is not null then raise 'something is left'; end \
        if; end $$";
    within(&server, "plain", untouched).await;
    let again = world.backfill().await;
    again.assert_code(0);
    assert_eq!(
        again.summary()["run_id"],
        2,
        "no number of a run is used up"
    );
}

#[tokio::test]
async fn triggers_and_constraints_added_to_the_tables_are_found_by_a_trial_run() {
    let server = Server::start();
    let world = World::on_server(&server, 1).await;
    world.backfill().await.assert_code(0);
    world
        .execute(
            "create function refuse() returns trigger language plpgsql as
                 $$ begin raise exception 'no more customers'; end $$;
             create trigger refuse before insert on customer for each row execute function \
             refuse()",
        )
        .await;
    let check = world.run(&["check"]).await;
    check.assert_code(4);
    assert!(
        line(&check, "rights").contains("no more customers"),
        "{}",
        check.stdout
    );
}

#[tokio::test]
async fn a_connection_limit_below_what_the_program_opens_is_reported() {
    let server = Server::start();
    let mut world = World::on_server(&server, 1).await;
    database(&world, "narrow", "").await;
    within(
        &server,
        "narrow",
        "grant create on schema public to narrow; alter role narrow connection limit 3",
    )
    .await;
    world.set(
        "database.url",
        address(&server, "narrow", "narrow").as_str(),
    );
    let check = world.run(&["check"]).await;
    check.assert_code(4);
    assert!(
        line(&check, "rights").contains("may have 3 connections"),
        "{}",
        check.stdout
    );
    world.set("database.max_connections", "3");
    world.run(&["check"]).await.assert_code(0);
}

#[tokio::test]
async fn every_independent_part_is_tried_and_the_first_to_mend_is_named() {
    let server = Server::start();
    let mut world = World::on_server(&server, 1).await;
    // Accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    world.set(
        "database.url",
        &format!("postgres://u@127.0.0.1:{port}/d?connect_timeout=1"),
    );
    world
        .simulator
        .script_for_ever(
            "token",
            json!([{ "status": 400, "json": { "error": "invalid_client" } }]),
        )
        .await;
    let check = world.run(&["check"]).await;
    check.assert_code(4);
    let database = line(&check, "database");
    assert!(
        database.starts_with("mend") && database.contains(&format!("127.0.0.1:{port}")),
        "{database}"
    );
    assert_eq!(
        line(&check, "customers"),
        "ok    customers      1 on the list"
    );
    let last = check.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("mend  sign-in        first: "), "{last}");
}

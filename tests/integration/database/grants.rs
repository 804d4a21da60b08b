//! `grants`: a role reads the views and edits the tables that people fill in, and does nothing
//! else, after every migration.

use sqlx::{AssertSqlSafe, PgPool};

use crate::support::{Finished, LATER, Server, World};

const EDITABLE: &str = "('adoption_target', 'product_alias', 'product_note')";

/// Whether a comment marks an inner view.
const INNER: &str = "coalesce(obj_description(c.oid, 'pg_class'), '') like 'Inner view%'";

/// A ledger on a server of its own, whose role is no superuser, with some usage.
async fn world(server: &Server) -> World {
    let mut world = World::on_server(server, 2).await;
    world
        .execute("create role ledger login; grant create on schema public to ledger")
        .await;
    world.set("database.url", address(server, "ledger").as_str());
    world.backfill().await.assert_code(0);
    world
}

fn address(server: &Server, role: &str) -> url::Url {
    let mut url = url::Url::parse(&server.url()).unwrap();
    url.set_username(role).unwrap();
    url
}

/// What the role gets: a result, or the SQLSTATE.
async fn ask(pool: &PgPool, sql: &str) -> Result<u64, String> {
    let asked = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(pool)
        .await;
    asked.map(|done| done.rows_affected()).map_err(|error| {
        let error = error.into_database_error().unwrap();
        error.code().unwrap().into_owned()
    })
}

/// Asserts that the role reads the views that are not inner ones, edits the tables that people
/// edit, and is refused everything else.
async fn assert_reads_the_views_alone(world: &World, role: &PgPool) {
    let relations = "select c.oid::regclass::text from pg_class as c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')";
    let views = format!("{relations} and c.relkind = 'v' and not {INNER}");
    let views = world.lines(&views).await;
    assert!(views.len() > 12, "{views:?}");
    for view in views {
        let read = ask(role, &format!("select * from {view}")).await;
        assert!(read.is_ok(), "{view}: {read:?}");
        let written = ask(role, &format!("delete from {view}")).await;
        assert!(written.is_err(), "{view}");
    }
    let tables = format!("{relations} and c.relname in {EDITABLE}");
    let tables = world.lines(&tables).await;
    assert_eq!(tables.len(), 3, "{tables:?}");
    for table in tables {
        for statement in [
            format!("select * from {table}"),
            format!("delete from {table} where false"),
        ] {
            let done = ask(role, &statement).await;
            assert!(done.is_ok(), "{statement}: {done:?}");
        }
        assert_eq!(
            ask(role, &format!("truncate {table}")).await,
            Err("42501".to_owned())
        );
    }
    let others =
        format!("{relations} and (c.relkind <> 'v' or {INNER}) and c.relname not in {EDITABLE}");
    for other in world.lines(&others).await {
        let read = ask(role, &format!("select from {other}")).await;
        assert_eq!(read, Err("42501".to_owned()), "{other}");
    }
    let noted = ask(
        role,
        "insert into product_note values ('of the role', 'free')",
    )
    .await;
    assert_eq!(noted, Ok(1));
    let noted = ask(
        role,
        "delete from product_note where product_name = 'of the role'",
    )
    .await;
    assert_eq!(noted, Ok(1));
    let made = ask(role, "create table mine (x int)").await;
    assert_eq!(made, Err("42501".to_owned()));
}

#[tokio::test]
async fn a_role_reads_the_views_and_nothing_else_over_a_new_partition_and_two_migrations() {
    let server = Server::start();
    let world = world(&server).await;
    let name = "Power \"BI\"";
    world
        .execute("create role \"Power \"\"BI\"\"\" login")
        .await;
    let role = PgPool::connect(address(&server, name).as_str())
        .await
        .unwrap();
    assert_eq!(
        ask(&role, "select * from license_seats").await,
        Err("42501".to_owned())
    );

    let granted = world.run(&["grants", "--bi-role", name]).await;
    granted.assert_code(0);
    let refused = "no statement_timeout, which the program's role may not set; as a superuser: \
        alter role \"Power \"\"BI\"\"\" in database postgres set statement_timeout = '10min'";
    assert!(granted.stdout.contains(refused), "{}", granted.stdout);
    assert_reads_the_views_alone(&world, &role).await;

    world
        .execute(
            "set role ledger;
             select add_license_usage_partitions(array['2199-01-01'::timestamptz]);
             reset role",
        )
        .await;
    assert_reads_the_views_alone(&world, &role).await;

    let first = "\
create function later_count() returns bigint
language sql stable security definer
return (select count(*) from license_usage);
revoke all on function later_count from public;
create view later as select later_count() as rows;
create table later_inner (x int)";
    let second = "\
create view later_still as select rows from later;
create view later_inner_view as select rows from later;
comment on view later_inner_view is 'Inner view: read later_still instead.'";
    world.upgrade(&[first, second]).await.unwrap();
    assert_reads_the_views_alone(&world, &role).await;
    let reads = "select count(*) from information_schema.role_table_grants
        where grantee = 'Power \"BI\"' and table_name like 'later%'";
    assert_eq!(world.value::<i64>(reads).await, 2);

    // This program does not know these migrations.
    for arguments in [
        &["check"][..],
        &["migrate"],
        &["--backfill"],
        &["grants", "--bi-role", name],
        &[],
    ] {
        let refused = world.run(arguments).await;
        refused.assert_code(4);
        let said = format!("{}{}", refused.stdout, refused.stderr);
        assert!(
            said.contains("this program is older than the database")
                && said.contains(&LATER.to_string()),
            "{arguments:?}: {said}"
        );
    }
    world
        .execute(&format!(
            "delete from _sqlx_migrations where version >= {LATER}"
        ))
        .await;

    let revoked = world.run(&["grants", "--bi-role", name, "--revoke"]).await;
    revoked.assert_code(0);
    assert_eq!(
        ask(&role, "select * from license_seats").await,
        Err("42501".to_owned())
    );
    role.close().await;
    assert_eq!(world.value::<i64>("select count(*) from bi_role").await, 0);
    // Refused if the role had any right left.
    world.execute("drop role \"Power \"\"BI\"\"\"").await;
    // Migrations pay no heed to a role that is gone.
    world.run(&["migrate"]).await.assert_code(0);
}

#[tokio::test]
async fn the_settings_of_a_role_are_set_and_taken_back_and_a_persons_own_are_kept() {
    let server = Server::start();
    // Its role is a superuser, and may set them.
    let world = World::on_server(&server, 1).await;
    world
        .execute(
            "create role bi login; create role own login;
             alter role own set statement_timeout = '7s';
             revoke usage on schema public from public",
        )
        .await;
    let settings = "select r.rolname, s.setdatabase <> 0 as here, s.setconfig::text
        from pg_db_role_setting as s inner join pg_roles as r on r.oid = s.setrole order by 1, 2";
    for role in ["bi", "own"] {
        world
            .run(&["grants", "--bi-role", role])
            .await
            .assert_code(0);
    }
    assert_eq!(
        world.lines(settings).await,
        [
            "bi|true|{statement_timeout=10min,idle_in_transaction_session_timeout=5min,jit=off}",
            "own|false|{statement_timeout=7s}",
            "own|true|{idle_in_transaction_session_timeout=5min,jit=off}",
        ]
    );
    let uses = "select has_schema_privilege('bi', 'public', 'usage')";
    assert!(world.value::<bool>(uses).await);
    for role in ["bi", "own"] {
        let revoked = world.run(&["grants", "--bi-role", role, "--revoke"]).await;
        revoked.assert_code(0);
    }
    assert_eq!(
        world.lines(settings).await,
        ["own|false|{statement_timeout=7s}"]
    );
    // Refused if they had any right left, such as that to use the schema.
    world.execute("drop role bi; drop role own").await;
}

#[tokio::test]
async fn a_right_given_by_hand_lasts_over_a_migration_and_not_over_the_command() {
    let server = Server::start();
    let world = world(&server).await;
    world.execute("create role bi login").await;
    world
        .run(&["grants", "--bi-role", "bi"])
        .await
        .assert_code(0);
    world.execute("grant select on license_usage to bi").await;
    let role = PgPool::connect(address(&server, "bi").as_str())
        .await
        .unwrap();
    world.run(&["migrate"]).await.assert_code(0);
    assert!(ask(&role, "select from license_usage").await.is_ok());
    world
        .run(&["grants", "--bi-role", "bi"])
        .await
        .assert_code(0);
    assert_reads_the_views_alone(&world, &role).await;
}

/// Asserts an exit code and a single line that contains the words.
#[track_caller]
fn assert_said(finished: &Finished, code: i32, words: &str) {
    finished.assert_code(code);
    let said = format!("{}{}", finished.stdout, finished.stderr);
    assert!(said.contains(words), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
}

#[tokio::test]
async fn a_role_that_cannot_be_one_that_only_reads_is_refused_in_one_line() {
    let server = Server::start();
    let world = world(&server).await;
    world
        .execute("create role boss superuser; create role heir in role ledger; create role bi")
        .await;
    for (role, words) in [
        (
            "no \"body\"",
            "does not exist; as a superuser: create role \"no \"\"body\"\"\" login",
        ),
        ("boss", "is a superuser"),
        ("ledger", "is the ledger's owner \"ledger\""),
        ("heir", "or a member of it"),
    ] {
        for more in [&[][..], &["--revoke"]] {
            let arguments = [&["grants", "--bi-role", role][..], more].concat();
            assert_said(&world.run(&arguments).await, 4, words);
        }
    }
    // "usage" on the schema is the owner's to give, and so is "connect" on the database.
    world
        .execute("revoke usage on schema public from public")
        .await;
    world
        .execute("grant usage on schema public to ledger")
        .await;
    let grant = ["grants", "--bi-role", "bi"];
    let wanted = "as the schema's owner: grant usage on schema \"public\" to \"bi\"";
    assert_said(&world.run(&grant).await, 4, wanted);
    assert_eq!(world.value::<i64>("select count(*) from bi_role").await, 0);
    world.execute("grant usage on schema public to bi").await;
    world
        .execute("revoke connect on database postgres from public")
        .await;
    world
        .execute("grant connect on database postgres to ledger")
        .await;
    let wanted = "as its owner: grant connect on database \"postgres\" to \"bi\"";
    assert_said(&world.run(&grant).await, 4, wanted);
    world
        .execute("grant connect on database postgres to bi")
        .await;
    world.run(&grant).await.assert_code(0);

    let revoke = ["grants", "--bi-role", "bi", "--revoke"];
    let revoked = world.run(&revoke).await;
    revoked.assert_code(0);
    let left = "It still has usage on the schema public, which only the schema's owner may take";
    assert!(revoked.stdout.contains(left), "{}", revoked.stdout);
    world.execute("revoke usage on schema public from bi").await;
    assert_said(
        &world.run(&revoke).await,
        0,
        "The role \"bi\" had no right to take back",
    );

    // Tables of another owner.
    world
        .execute("alter table sync_customer owner to boss")
        .await;
    assert_said(&world.run(&grant).await, 4, "sync_customer belongs to boss");
}

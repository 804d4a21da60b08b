//! Which roles may read the views for BI tools, and edit the few tables that people fill in. The
//! ledger remembers them, so that each migration lets them read its new views. They get nothing
//! else: no table of the ledger, no payload and no inner view. The comments tell which is which:
//! that of an inner view begins with "Inner view", and that of a table that people fill in with
//! "For people to edit".

use sqlx::{Connection as _, PgConnection, Row as _};

use super::error::StoreError;
use super::migrate::migrations::Migrations;
use super::pool::{Store, bounded, in_time};
use super::transaction::begin_aside;

/// The settings that a role gets: timeouts, so that none of its sessions keeps a migration waiting
/// for as long as it tries, and no just-in-time compilation, because that of a view over years of
/// partitions takes several times as long as the view itself.
const SETTINGS: [(&str, &str); 3] = [
    ("statement_timeout", "10min"),
    ("idle_in_transaction_session_timeout", "5min"),
    ("jit", "off"),
];

const OPERATION: &str = "granting rights to a role";

const REVOCATION: &str = "taking a role's rights back";

/// What is to become of a role's rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// It gets what it lacks, and keeps what else it has.
    Renewed,
    /// It gets what it lacks, and loses what else it has of the ledger.
    Granted,
    /// It loses all it has of the ledger.
    Revoked,
}

/// What a role may do now.
#[derive(Debug)]
pub struct Granted {
    /// How many views it reads.
    pub views: i64,
    /// The tables that it edits.
    pub tables: Vec<String>,
    /// Which settings it has, or why not.
    pub settings: Vec<String>,
}

/// What a role no longer may.
#[derive(Debug)]
pub struct Revoked {
    /// Whether it had any right of the ledger.
    pub had_any: bool,
    /// What could not be taken back.
    pub left: Vec<String>,
}

impl Store {
    /// Lets a role read the views, now and after each migration. The tables have to be up to date.
    ///
    /// # Errors
    /// When Postgres is away or refuses, or the role cannot be one that reads and nothing else.
    pub async fn grant(&self, role: &str) -> Result<Granted, StoreError> {
        in_time(OPERATION, Box::pin(self.grant_to(role))).await
    }

    async fn grant_to(&self, role: &str) -> Result<Granted, StoreError> {
        let during = StoreError::during(OPERATION);
        let mut connection = self.connect_for_work().await?;
        judge(&mut connection, role).await?;
        let migrations = Migrations::embedded();
        let mut transaction = begin_aside(&mut connection).await.map_err(&during)?;
        let remembered = sqlx::query!(
            "insert into bi_role (role_name) values ($1) on conflict do nothing",
            role
        );
        remembered
            .execute(&mut *transaction)
            .await
            .map_err(&during)?;
        change(
            &mut transaction,
            &migrations,
            &[role.to_owned()],
            Wish::Granted,
        )
        .await?;
        let may = sqlx::query!(
            r#"
            select
                count(*) filter (where c.relkind = 'v') as "views!",
                array_remove(
                    array_agg(c.relname::text order by c.relname)
                        filter (where c.relkind = 'r'),
                    null
                ) as "tables",
                has_schema_privilege($1, current_schema(), 'usage') as "may_use!",
                has_database_privilege($1, current_database(), 'connect') as "may_connect!",
                current_schema()::text as "schema!",
                current_database()::text as "database!"
            from pg_class as c
            cross join aclexplode(c.relacl) as a
            where c.relnamespace = current_schema()::regnamespace
                and a.privilege_type = 'SELECT'
                and a.grantee = (select oid from pg_roles where rolname = $1)
            "#,
            role
        );
        let may = may.fetch_one(&mut *transaction).await.map_err(&during)?;
        let problem = |problem| StoreError::Role {
            role: role.to_owned(),
            problem,
        };
        if !may.may_use {
            return Err(problem(format!(
                "may not use the schema {schema}, and the program's role may not grant that; as \
                 the schema's owner: grant usage on schema {schema} to {role}",
                schema = quoted(&may.schema),
                role = quoted(role)
            )));
        }
        if !may.may_connect {
            return Err(problem(format!(
                "may not connect to the database {database}; as its owner: grant connect on \
                 database {database} to {role}",
                database = quoted(&may.database),
                role = quoted(role)
            )));
        }
        let mut settings = Vec::new();
        for (name, value) in SETTINGS {
            settings.push(set_setting(&mut transaction, role, name, value).await?);
        }
        transaction.commit().await.map_err(&during)?;
        let _closed = connection.close().await;
        Ok(Granted {
            views: may.views,
            tables: may.tables.unwrap_or_default(),
            settings,
        })
    }

    /// Takes back all that a role may do with the ledger, and forgets it.
    ///
    /// # Errors
    /// When Postgres is away or refuses, or the role is a superuser or the ledger's owner.
    pub async fn revoke(&self, role: &str) -> Result<Revoked, StoreError> {
        in_time(REVOCATION, Box::pin(self.revoke_from(role))).await
    }

    async fn revoke_from(&self, role: &str) -> Result<Revoked, StoreError> {
        let during = StoreError::during(REVOCATION);
        let mut connection = self.connect_for_work().await?;
        let mut transaction = begin_aside(&mut connection).await.map_err(&during)?;
        let forgotten = sqlx::query!("delete from bi_role where role_name = $1", role);
        let forgotten = forgotten
            .execute(&mut *transaction)
            .await
            .map_err(&during)?;
        // A role that was dropped is only forgotten.
        if forgotten.rows_affected() == 0 {
            judge(&mut transaction, role).await?;
        }
        let migrations = Migrations::embedded();
        let roles = [role.to_owned()];
        let taken = change(&mut transaction, &migrations, &roles, Wish::Revoked).await?;
        for (name, value) in SETTINGS {
            reset_setting(&mut transaction, role, name, value).await?;
        }
        let left = sqlx::query_scalar!(
            r#"
            select format('%s on the schema %I', lower(a.privilege_type), n.nspname) as "left!"
            from pg_namespace as n
            cross join aclexplode(n.nspacl) as a
            where n.nspname = current_schema()
                and a.grantee = (select oid from pg_roles where rolname = $1)
            "#,
            role
        );
        let left = left.fetch_all(&mut *transaction).await.map_err(&during)?;
        transaction.commit().await.map_err(&during)?;
        let _closed = connection.close().await;
        Ok(Revoked {
            had_any: taken > 0 || forgotten.rows_affected() > 0,
            left,
        })
    }
}

/// Lets the roles that the ledger remembers read the views that they cannot read yet.
pub(super) async fn renew(
    connection: &mut PgConnection,
    migrations: &Migrations,
) -> Result<(), StoreError> {
    let during = StoreError::during("letting roles read new views");
    let known = sqlx::raw_sql("select to_regclass('bi_role') is not null");
    let known = known.fetch_one(&mut *connection).await.map_err(&during)?;
    if !known.try_get::<bool, _>(0).map_err(&during)? {
        return Ok(());
    }
    let roles = sqlx::query_scalar!(r#"select role_name as "role_name!" from bi_role"#);
    let roles = roles.fetch_all(&mut *connection).await.map_err(&during)?;
    if !roles.is_empty() {
        change(connection, migrations, &roles, Wish::Renewed).await?;
    }
    Ok(())
}

/// Refuses a role that cannot be one that reads and does nothing else.
async fn judge(connection: &mut PgConnection, role: &str) -> Result<(), StoreError> {
    let known = sqlx::query!(
        r#"
        select
            r.rolsuper as "is_superuser!",
            pg_has_role(r.oid, c.relowner, 'member') as "is_owner!",
            pg_get_userbyid(c.relowner)::text as "owner!"
        from pg_roles as r
        cross join pg_class as c
        where r.rolname = $1
            and c.oid = 'license_usage'::regclass
        "#,
        role
    );
    let known = bounded("asking about a role", known.fetch_optional(connection)).await?;
    let problem = match known {
        None => format!(
            "does not exist; as a superuser: create role {} login",
            quoted(role)
        ),
        Some(known) if known.is_superuser => {
            "is a superuser, who may do everything; name a role that is to read and nothing else"
                .to_owned()
        }
        Some(known) if known.is_owner => format!(
            "is the ledger's owner {:?} or a member of it, and may do everything with it; name a \
             role that is to read and nothing else",
            known.owner
        ),
        Some(_) => return Ok(()),
    };
    Err(StoreError::Role {
        role: role.to_owned(),
        problem,
    })
}

/// A name as it is written in SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Makes the rights of the roles what they are to be; returns how many were given or taken back.
async fn change(
    connection: &mut PgConnection,
    migrations: &Migrations,
    roles: &[String],
    wish: Wish,
) -> Result<usize, StoreError> {
    let statements = sqlx::query_scalar::<_, String>(include_str!("differences.sql"))
        .bind(roles)
        .bind(migrations.created("view"))
        .bind(migrations.created("table"))
        .bind(wish != Wish::Revoked)
        .bind(wish != Wish::Renewed)
        .fetch_all(&mut *connection);
    let statements = bounded("asking what roles may do", statements).await?;
    if !statements.is_empty() {
        let all = sqlx::AssertSqlSafe(statements.join(";\n"));
        let changed = sqlx::raw_sql(all).execute(connection).await;
        changed.map_err(StoreError::during(OPERATION))?;
    }
    Ok(statements.len())
}

/// Sets a setting of the role in this database unless the role has one of its own. Says in words
/// what became of it.
async fn set_setting(
    connection: &mut PgConnection,
    role: &str,
    name: &str,
    value: &str,
) -> Result<String, StoreError> {
    if let Some(own) = load_setting(connection, role, name).await? {
        return Ok(format!("{name} = {own}"));
    }
    let refused = alter(connection, role, &format!("set {name} = '{value}'")).await?;
    Ok(match refused {
        None => format!("{name} = {value}"),
        Some(statement) => {
            format!("no {name}, which the program's role may not set; as a superuser: {statement}")
        }
    })
}

/// Takes back a setting, unless a person has set another.
async fn reset_setting(
    connection: &mut PgConnection,
    role: &str,
    name: &str,
    value: &str,
) -> Result<(), StoreError> {
    if load_setting(connection, role, name).await?.as_deref() == Some(value) {
        let _refused = alter(connection, role, &format!("reset {name}")).await?;
    }
    Ok(())
}

/// The value of a setting that the role has in this database, or else in all.
async fn load_setting(
    connection: &mut PgConnection,
    role: &str,
    name: &str,
) -> Result<Option<String>, StoreError> {
    let value = sqlx::query_scalar!(
        r#"
        select split_part(c.setting, '=', 2) as "value!"
        from pg_db_role_setting as s
        inner join pg_roles as r on r.oid = s.setrole
        left join pg_database as d on d.oid = s.setdatabase
        cross join unnest(s.setconfig) as c (setting)
        where r.rolname = $1
            and split_part(c.setting, '=', 1) = $2
            and (s.setdatabase = 0 or d.datname = current_database())
        order by s.setdatabase desc
        limit 1
        "#,
        role,
        name
    );
    bounded(
        "asking for a role's settings",
        value.fetch_optional(connection),
    )
    .await
}

/// Changes a setting of the role in this database. Returns the statement if that is refused.
async fn alter(
    connection: &mut PgConnection,
    role: &str,
    change: &str,
) -> Result<Option<String>, StoreError> {
    let during = StoreError::during(OPERATION);
    let statement = sqlx::query_scalar!(
        r#"
        select format('alter role %I in database %I %s', $1::text, current_database(), $2::text)
            as "statement!"
        "#,
        role,
        change
    );
    let statement = statement
        .fetch_one(&mut *connection)
        .await
        .map_err(&during)?;
    // A savepoint, so that a refusal does not end the transaction.
    let mut attempt = connection.begin().await.map_err(&during)?;
    let altered = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.clone()))
        .execute(&mut *attempt)
        .await
        .map_err(&during);
    match altered {
        Ok(_) => {
            attempt.commit().await.map_err(&during)?;
            Ok(None)
        }
        Err(StoreError::Unusable { .. }) => {
            attempt.rollback().await.map_err(&during)?;
            Ok(Some(statement))
        }
        Err(error) => Err(error),
    }
}

//! Whether the role has the rights that a run needs on the existing tables.

use sqlx::{PgConnection, Row as _};

use super::super::error::StoreError;
use super::super::migrate;
use super::facts::ServerFacts;
use crate::retry::Remedy;

/// Problems named in one message; more would make it unreadable.
const MAX_NAMED: usize = 3;

/// Returns one line per problem. `$tables`, `$views` and `$functions` are replaced by lists of
/// names.
const QUESTION: &str = "
    with expected as (
        select name, true as is_table
        from unnest(array[$tables]) as t (name)
        union all
        select name, false
        from unnest(array[$views]) as v (name)
    ),

    relations as (
        select to_regclass(quote_ident(name)) as oid, name, is_table
        from expected
        union all
        select inhrelid::regclass, inhrelid::regclass::text, true
        from pg_inherits
        where inhparent = to_regclass('license_usage')
    )

    select problem
    from (
        select 1 as rank, o.name, format('%s does not exist', o.name) as problem
        from relations as o
        where o.oid is null
        union all
        select 2, o.name, format('%s belongs to %I', o.name, pg_get_userbyid(c.relowner))
        from relations as o
        inner join pg_class as c on c.oid = o.oid
        where not pg_has_role(c.relowner, 'usage')
        union all
        select 3, o.name, format('row-level security of %s applies to the role', o.name)
        from relations as o
        where o.is_table
            and o.oid is not null
            and row_security_active(o.oid)
        union all
        select 4, o.name, format('the role may not %s in %s', right_, o.name)
        from relations as o
        cross join unnest(array['select', 'insert', 'update']) as r (right_)
        where o.oid is not null
            and (o.is_table or right_ = 'select')
            and not has_table_privilege(o.oid, right_)
        union all
        select 5, p.proname, format('the role may not execute %s', p.oid::regprocedure)
        from pg_proc as p
        where p.pronamespace = to_regnamespace(quote_ident(current_schema()))
            and p.proname = any(array[$functions])
            and not has_function_privilege(p.oid, 'execute')
    ) as problems
    order by rank, name
";

pub(super) async fn prove(
    connection: &mut PgConnection,
    facts: &ServerFacts,
) -> Result<(), StoreError> {
    let question = QUESTION
        .replace("$tables", &created("table"))
        .replace("$views", &created("view"))
        .replace("$functions", &created("function"));
    let during = StoreError::during("asking what the role may do with the tables");
    let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(question)).fetch_all(connection);
    let problems = rows.await.and_then(|rows| {
        let problems = rows.iter().map(|row| row.try_get(0));
        problems.collect::<Result<Vec<String>, _>>()
    });
    let mut problems = problems.map_err(during)?;
    let (role, schema) = (&facts.role, facts.schema.as_deref().unwrap_or_default());
    if !facts.may_create() {
        problems.push(format!("the role may not create tables in {schema}"));
    }
    if problems.is_empty() {
        return Ok(());
    }
    let further = problems.len().saturating_sub(MAX_NAMED);
    problems.truncate(MAX_NAMED);
    if further > 0 {
        problems.push(format!("and {further} more of the kind"));
    }
    Err(StoreError::Unfit {
        remedy: Remedy::Person,
        problem: format!(
            "the role {role:?} lacks what a run needs: {} (SQLSTATE 42501); as a superuser, make \
             it the owner of the tables and views in the schema {schema:?} (alter table NAME owner \
             to {role:?}), which gives it all rights; then: grant usage, create on schema \
             {schema:?} to {role:?}",
            problems.join("; ")
        ),
    })
}

/// The names of the objects of a kind that the migrations create, as a list of SQL literals.
fn created(kind: &str) -> String {
    let mut names = Vec::new();
    let migrator = sqlx::migrate!();
    for migration in migrator.iter() {
        for line in migration.sql.as_str().lines() {
            let created = line.strip_prefix("create or replace ");
            let created = created.or_else(|| line.strip_prefix("create "));
            let Some(rest) = created.and_then(|created| created.strip_prefix(kind)) else {
                continue;
            };
            let end = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
            let name = rest.trim_start().split(end).next().unwrap_or_default();
            let name = format!("'{name}'");
            if rest.starts_with(' ') && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    if kind == "table" {
        names.push(format!("'{}'", migrate::RECORD));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::created;

    #[test]
    fn every_table_view_and_function_of_the_migrations_is_checked() {
        let tables = created("table");
        for name in [
            "customer",
            "sync_run",
            "license_usage",
            "license_usage_month",
            "consent",
        ] {
            assert!(tables.contains(&format!("'{name}'")), "{tables}");
        }
        assert!(!tables.contains("dependent_view"), "{tables}");
        assert!(created("view").contains("'customer_freshness'"));
        assert!(created("function").contains("'add_license_usage_partitions'"));
    }
}

//! Whether the role has the rights that a run needs on the existing tables.

use sqlx::{PgConnection, Row as _};

use super::super::error::StoreError;
use super::super::migrate::RECORD;
use super::super::migrate::migrations::Migrations;
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
    migrations: &Migrations,
) -> Result<(), StoreError> {
    let literals = |names: Vec<String>| {
        let literals: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        literals.join(", ")
    };
    let mut tables = migrations.created("table");
    tables.push(RECORD.to_owned());
    let question = QUESTION
        .replace("$tables", &literals(tables))
        .replace("$views", &literals(migrations.created("view")))
        .replace("$functions", &literals(migrations.created("function")));
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

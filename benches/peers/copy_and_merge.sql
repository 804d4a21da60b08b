-- Rows from psql's input into the ledger, all in one transaction. psql reads it from this folder.
\set QUIET on
\set ON_ERROR_STOP on
begin;
\ir staging.sql
\copy staging from pstdin
\ir merge.sql
commit;

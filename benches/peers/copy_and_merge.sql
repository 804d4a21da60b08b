-- Stores the rows of psql's input in the ledger, in one transaction. psql reads the other files
-- from this folder.
\set QUIET on
\set ON_ERROR_STOP on
begin;
\ir staging.sql
\copy staging from pstdin
\ir merge.sql
commit;

-- Stores the rows of psql's standard input in the ledger, in one transaction. `\ir` reads the other
-- files from this folder.
\set QUIET on
\set ON_ERROR_STOP on
begin;
\ir staging.sql
\copy staging from pstdin
\ir merge.sql
commit;

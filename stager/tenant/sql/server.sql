-- name: database_exists
-- Whether the embedded server has the tenant's database already.
select 1 from pg_database where datname = %s

-- name: create_database
create database {database}

-- name: keep_idle_transaction
-- The server may end transactions that wait for their client, and sealing a chunk's fields takes a while.
-- LOCAL, because behind a pooler a session setting would outlive the transaction in someone else's session.
set local idle_in_transaction_session_timeout = 0

-- name: try_lock_tenant
-- Held until the transaction ends, so that it cannot strand behind a pooler.
select pg_try_advisory_xact_lock(%s)

-- name: read_tenant
select slug from stager_tenant

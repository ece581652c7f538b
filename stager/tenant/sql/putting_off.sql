-- name: create_deferred
-- What a first bulk load works without, until it is put back: it stands here only while it is not there.
create table if not exists stager_deferred (
    kind text not null,
    table_name text not null,
    name text not null,
    definition text not null,
    primary key (kind, table_name, name)
)

-- name: drop_deferred
drop table stager_deferred

-- name: keep_deferred
insert into stager_deferred (kind, table_name, name, definition) values (%s, %s, %s, %s)

-- name: forget_deferred
delete from stager_deferred where kind = %s and table_name = %s and name = %s

-- name: read_deferred
-- Indexes first: checking the keys over a whole table needs none, but whoever waits for a table waits less long.
select kind, table_name, name, definition from stager_deferred order by kind desc, table_name, name

-- name: name_all_in_full
-- So that the catalogue's texts mean the same along any search path.
set local search_path = ''

-- name: wait_briefly_for_locks
set local lock_timeout = '1s'

-- name: wait_for_locks
set local lock_timeout = '60s'

-- name: let_it_take_its_time
set local statement_timeout = 0

-- name: sort_in_memory
set local maintenance_work_mem = '256MB'

-- name: lock_whole_table
lock table {table} in access exclusive mode

-- name: plain_table
-- An ordinary table that stands by itself: no partition, and none inherits from it.
select oid from pg_class where oid = to_regclass(%s) and relkind = 'r' and not relispartition and not relhassubclass

-- name: table_has_rows
select exists (select from {table})

-- name: foreign_keys
-- Those by which rows refer to people, that stager fills itself and that their definition alone brings back as
-- they were.
select 'foreign key', conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)
from pg_constraint
where conrelid = %s and confrelid = %s and contype = 'f'
    and (select array_agg(attname::text) from pg_attribute where attrelid = conrelid and attnum = any(conkey)) <@ %s
    and (select array_agg(attname::text) from pg_attribute where attrelid = confrelid and attnum = any(confkey)) <@ %s
    and convalidated and conparentid = 0 and coninhcount = 0 and obj_description(oid, 'pg_constraint') is null
order by conname

-- name: plain_indexes
-- Those that keep nothing unique, carry no constraint, and that their definition alone brings back as they were.
select 'index', indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid)
from pg_index
join pg_class on pg_class.oid = indexrelid
where indrelid = %s and not indisunique and not indisexclusion and not indisclustered and not indisreplident
    and indisvalid and reltablespace = 0 and obj_description(indexrelid, 'pg_class') is null
    and not exists (select from pg_attribute where attrelid = indexrelid and coalesce(attstattarget, -1) >= 0)
    and not exists (select from pg_constraint where conindid = indexrelid)
    and not exists (select from pg_depend where objid = indexrelid and deptype in ('x', 'e'))
order by indexrelid::regclass::text

-- name: foreign_key_is_there
select exists (select from pg_constraint where conrelid = to_regclass(%s) and quote_ident(conname) = %s)

-- name: index_is_there
select to_regclass(%s) is not null

-- name: drop_foreign_key
alter table {table} drop constraint {name}

-- name: add_foreign_key
alter table {table} add constraint {name} {definition}

-- name: drop_index
drop index {name}

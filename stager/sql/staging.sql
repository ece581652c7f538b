-- The staging file's own facts, and the macros that every statement may use.

-- name: macros
-- The injective text of a column: its byte length and itself, or '-' for NULL.
create or replace temp macro netstring(x) as
    case when x is null then '-' else strlen(x::varchar) || ':' || x::varchar || ',' end;
-- The same netstring in three parts, for a concat of many: what stands before a text or a whole number from 0
-- (its length as a number takes half the time), and what stands behind.
create or replace temp macro text_head(x) as
    case when x is null then '-' else strlen(x) || ':' end;
create or replace temp macro number_head(x) as
    case when x is null then '-' when x < 0 then strlen(x::varchar) || ':'
        when x < 10 then '1:' when x < 100 then '2:' when x < 1000 then '3:' when x < 10000 then '4:'
        when x < 100000 then '5:' when x < 1000000 then '6:' else strlen(x::varchar) || ':' end;
create or replace temp macro net_end(x) as case when x is not null then ',' end;
-- A set of rows as text, "source:first-last source:row …", is one word for each of its runs.
create or replace temp macro run_word(source_id, first_row, last_row) as
    source_id || ':' || first_row || case when last_row > first_row then '-' || last_row else '' end;

-- A link's end, a staged person ("source:row") or one of the tenant's own ("tenant:id"), in its parts.
create or replace temp macro staged_part(place, part) as
    case when place not like 'tenant:%' then split_part(place, ':', part)::integer end;
create or replace temp macro tenant_part(place) as
    case when place like 'tenant:%' then substr(place, 8) end;
-- What is white in ASCII.
create or replace temp macro blanks() as concat(' ', chr(9), chr(10), chr(11), chr(12), chr(13));
-- What a raised finding says, as JSON.
create or replace temp macro finding_detail(code, field, rule, standing, subject, related, suggestions) as
    json_object('code', code, 'field', field, 'rule', rule, 'standing', standing, 'subject', subject,
        'related', related, 'suggestions', suggestions::json)::varchar;

-- name: migration_fact
select value from migration where name = $name;

-- name: set_migration_fact
insert into migration values ($name, $value);

-- name: forget_migration_fact
delete from migration where name = $name;

-- name: has_table
select count(*) > 0 from duckdb_tables() where database_name = 'stg' and table_name = $table;

-- name: count_rows_of
select count(*) from {table};

-- name: create_rows
-- A sheet's readable records: where each stands in its file, its keyed fingerprint, its cells as they came.
create table if not exists {table} (
    source_id integer not null,
    row_no integer not null,
    line integer not null,
    byte_start bigint not null,
    byte_len integer not null,
    fingerprint blob not null using compression uncompressed);

-- name: add_column
alter table {table} add column if not exists {field} varchar;

-- name: add_unlike
-- Of long texts zstd keeps a third less than what DuckDB would choose, of moments a little more; both sooner.
alter table {table} add column if not exists {field} varchar using compression zstd;

-- name: insert_piece
insert into {table} select * from piece;

-- name: threads
select current_setting('threads');

-- name: use_threads
set threads = {threads};

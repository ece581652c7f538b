-- The state as of an event: temporary tables and views of this session stand before the file's own, since
-- DuckDB looks for a name among the temporary ones first.

-- name: stand_at_event
create or replace temp view event as select * from stg.main.event where seq <= {seq};

-- name: stand_at_seal
create or replace temp view seal as select * from stg.main.seal where last_seq <= {seq};

-- name: stand_at_source
create or replace temp view source as
select * from stg.main.source where source_id in (select source_id from event where kind = 'source.registered');

-- name: stand_at_target_row
-- Ids that the tenant's sequences gave, once their chunk is committed.
create or replace temp view target_row as
select * from stg.main.target_row
where (source_id, row_no) in (select (source_id, row_no) from row_state where chunk_seq is not null);

-- name: stand_at_projection
create or replace temp table {table} as select * from stg.main.{table} limit 0;

-- name: leave_view
drop view if exists temp.{view};

-- name: leave_table
drop table if exists temp.{table};

-- name: command_of_event
-- The first and last event of the command that wrote this one, and when it was.
select seal.first_seq, seal.last_seq, event."at"
from event left join seal on event.seq between seal.first_seq and seal.last_seq
where event.seq = $seq;

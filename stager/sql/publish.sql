-- Publishing: cutting the plan into chunks, reading what a chunk is made from, keeping what became of it.

-- name: cut_chunks
-- Which chunk each planned row goes in, numbered on from $last in the sheets' order; a chunk is of one source.
create or replace temp table chunk_row as
select sheet, source_id, row_no,
    $last + dense_rank() over (order by list_position($sheets, sheet), source_id, part) as chunk
from (
    select sheet, source_id, row_no,
        (row_number() over (partition by source_id order by row_no) - 1) // $chunk_rows as part
    from plan
);

-- name: place_recorded_rows
-- The planned rows of chunks that an earlier, unfinished run recorded.
create or replace temp table chunk_row as
select plan.sheet, plan.source_id, plan.row_no, recorded.chunk
from plan
join (
    select chunk, source_id, unnest(range(first_row, last_row + 1))::integer as row_no from recorded_run
) as recorded on recorded.source_id = plan.source_id and recorded.row_no = plan.row_no;

-- name: chunks_of_plan
-- The chunk of every planned row, NULL for none, in the order of plan_lines.
select chunk_row.chunk
from plan
left join chunk_row on chunk_row.source_id = plan.source_id and chunk_row.row_no = plan.row_no
order by plan.source_id, plan.row_no;

-- name: describe_chunks
-- Each chunk's rows as runs, and the first and last of the events that brought those rows in.
with events as (
    select chunk, min(seq) as first_event, max(seq) as last_event
    from chunk_row
    join event on event.source_id = chunk_row.source_id and event.row_no = chunk_row.row_no
        and event.kind in ('row.accepted', 'row.rejected')
    group by chunk
),
runs as (
    select chunk, sheet, source_id, min(row_no) as first_row, max(row_no) as last_row
    from (
        select *, row_no - row_number() over (partition by chunk order by row_no) as island from chunk_row
    )
    group by chunk, sheet, source_id, island
)
select runs.chunk, runs.sheet, runs.source_id,
    string_agg(run_word(source_id, first_row, last_row), ' ' order by first_row) as rows,
    sum(last_row - first_row + 1)::bigint as count, any_value(first_event) as first_event,
    any_value(last_event) as last_event
from runs join events on events.chunk = runs.chunk
group by runs.chunk, runs.sheet, runs.source_id
order by runs.chunk;

-- name: last_chunk
-- The highest number that a chunk of this migration ever had.
select coalesce(max(chunk), 0)
from (
    select unnest(json_extract(detail, '$.chunks[*].chunk'))::bigint as chunk
    from event where kind = 'publish.started'
);

-- name: count_runs
select count(*) from event where kind = 'publish.started';

-- name: unfinished_run
select seq, detail from event
where kind = 'publish.started'
    and seq > (select coalesce(max(seq), 0) from event where kind = 'publish.finished')
order by seq desc limit 1;

-- name: chunks_recorded
select json_extract(detail, '$.chunk')::bigint from event where seq > $after and kind = 'publish.chunk_committed';

-- name: published_so_far
-- How many rows are published, and how many are approved and not published.
select count(*) filter (state = 'published'), count(*) filter (state = 'approved') from row_state;

-- name: sources_of_chunks
-- What the values of a source's rows depend on beside the rows themselves.
select source_id, sheet, sha256, content_root, rules from source;

-- name: withdraw_from_plan
-- Rows that the tenant has by an unfinished run, which the staging file does not know of yet.
delete from plan where (source_id, row_no) in (
    select (source_id, unnest(range(first_row, last_row + 1))::integer) from recorded_run);

-- name: select_rows_to_send
-- The rows of one sheet that go in chunks $first to $last, with their links. A username is one person's:
-- where a person let two share an email, the later one goes by the legacy ID.
create or replace temp table sending as
select chunk_row.chunk, plan.source_id, plan.row_no, plan.patient_source, plan.patient_row, plan.patient_person,
    plan.practitioner_source, plan.practitioner_row, plan.practitioner_person,
    sharing.row_no is not null as shares_email
from plan
join chunk_row on chunk_row.source_id = plan.source_id and chunk_row.row_no = plan.row_no
left join (
    select distinct source_id, row_no from decision
    where code = 'patient.email_shared' and decision in ('accept', 'keep_both') and undone_seq is null
) as sharing on sharing.source_id = plan.source_id and sharing.row_no = plan.row_no
where plan.sheet = $sheet and list_contains($chunks, chunk_row.chunk);

-- name: links_to_send
select row_no, chunk, patient_source, patient_row, patient_person,
    practitioner_source, practitioner_row, practitioner_person, shares_email
from sending where source_id = $source_id and row_no between $first and $last order by row_no;

-- name: keep_target_rows
insert into target_row
select source_id, row_no, target_table, target_id from drawn
anti join target_row as kept on kept.source_id = drawn.source_id and kept.row_no = drawn.row_no;

-- name: count_committed
-- Rows of a run that are in the tenant, and those that are not.
select coalesce(sum(json_extract(detail, '$.count')::bigint), 0)::bigint,
    coalesce(sum(coalesce(json_array_length(detail, '$.refused'), 0)), 0)::bigint
from event where kind = 'publish.chunk_committed' and json_extract(detail, '$.run')::bigint = $run;

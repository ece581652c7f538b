-- Publishing: what chunks there were, reading what a chunk is made from, keeping what became of it.

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

-- name: count_approved
-- How many rows are approved and not published. A condition that a scan can be given skips all others unread.
select count(*) from row_state where state = 'approved';

-- name: any_published
select exists (select 1 from row_state where state = 'published');

-- name: sources_of_chunks
-- What the values of a source's rows depend on beside the rows themselves.
select source_id, sheet, sha256, content_root, rules from source;

-- name: withdraw_from_plan
-- Rows that the tenant has by an unfinished run, which the staging file does not know of yet.
delete from plan where (source_id, row_no) in (
    select (source_id, unnest(range(first_row, last_row + 1))::integer) from recorded_run);

-- name: persons_before_plan
-- Whom planned rows refer to that are not planned themselves: staged patients in the tenant, and its own people.
with person as (
    select patient_source as source_id, patient_row as row_no, patient_person as person from plan
    union
    select practitioner_source, practitioner_row, practitioner_person from plan
)
select source_id, row_no, person
from person
anti join plan on plan.source_id = person.source_id and plan.row_no = person.row_no
where person.source_id is not null or person is not null;

-- name: cells_to_send
-- A source's records from $first to $last as they came. They are laid beside their links by the reader: joined
-- here, their texts would be carried through the join.
select source_id, row_no, {fields} from {table} as cells
where source_id = $source_id and row_no between $first and $last;

-- name: links_to_send
-- The planned rows among them, and their links. A username is one person's: where a person let two share an
-- email, the later one goes by the legacy ID.
select plan.row_no, plan.patient_source, plan.patient_row, plan.patient_person,
    plan.practitioner_source, plan.practitioner_row, plan.practitioner_person,
    sharing.row_no is not null as shares_email
from plan
left join (
    select distinct source_id, row_no from decision
    where code = 'patient.email_shared' and decision in ('accept', 'keep_both') and undone_seq is null
) as sharing on sharing.source_id = plan.source_id and sharing.row_no = plan.row_no
where plan.source_id = $source_id and plan.row_no between $first and $last;

-- name: keep_target_rows
insert into target_row
select source_id, row_no, target_table, target_id from drawn
anti join target_row as kept on kept.source_id = drawn.source_id and kept.row_no = drawn.row_no;

-- name: count_committed
-- Rows of a run that are in the tenant, and those that are not.
select coalesce(sum(json_extract(detail, '$.count')::bigint), 0)::bigint,
    coalesce(sum(coalesce(json_array_length(detail, '$.refused'), 0)), 0)::bigint
from event where kind = 'publish.chunk_committed' and json_extract(detail, '$.run')::bigint = $run;

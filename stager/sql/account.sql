-- The account of files and states.

-- name: account_of_files
with kept as (
    select source_id, count(*) as records, sum(byte_len) as bytes from row_patients group by source_id
    union all
    select source_id, count(*), sum(byte_len) from row_background group by source_id
    union all
    select source_id, count(*), sum(byte_len) from row_notes group by source_id
    union all
    select source_id, count(*), sum(byte_len) from row_medications group by source_id
),
spans as (
    select source_id, count(*) filter (kind = 'malformed') as malformed, count(*) filter (kind = 'blank') as blank,
        sum(byte_len) as bytes
    from span group by source_id
),
stated as (select sheet, source_id, count(*) as records from row_state group by sheet, source_id),
registered as (
    select source_id, json_extract(detail, '$.rows')::bigint + json_extract(detail, '$.malformed')::bigint as records
    from event where kind = 'source.registered'
)
select source.source_id, source.sheet, source.file_name, source.size,
    (coalesce(kept.bytes, 0) + coalesce(spans.bytes, 0))::bigint, coalesce(registered.records, 0),
    coalesce(kept.records, 0) + coalesce(spans.malformed, 0), coalesce(stated.records, 0), coalesce(spans.blank, 0)
from source
left join kept on kept.source_id = source.source_id
left join spans on spans.source_id = source.source_id
left join stated on stated.source_id = source.source_id and stated.sheet = source.sheet
left join registered on registered.source_id = source.source_id
order by source.source_id;

-- name: account_of_states
select sheet, state, count(*) from row_state group by sheet, state;

-- name: expectations
-- The practice's own counts as last stated, by sheet.
select sheet, arg_max(stated, seq)
from (
    select seq, sheet, json_extract(detail, '$.counts.' || sheet)::bigint as stated
    from (select seq, detail, unnest(json_keys(detail, '$.counts')) as sheet from event where kind = 'expectation.stated')
)
group by sheet;

-- name: replaced_records
-- Records for which a corrected record of a later file stands.
select row_state.sheet, count(distinct (decision.source_id, decision.row_no))
from decision join row_state on row_state.source_id = decision.source_id and row_state.row_no = decision.row_no
where decision.decision = 'supersede' and decision.undone_seq is null group by 1;

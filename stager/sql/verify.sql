-- Verifying: the log against its leaves, facts against the log, projections against a refold.

-- name: events_in_order
-- A stretch of the log: every column in the order in which the leaf holds them, then the leaf.
select seq, "at", actor, kind, version, sheet, source_id, row_no, finding_id, detail, leaf
from event where seq > $after and seq <= $upto order by seq;

-- name: count_events
select count(*) from event;

-- name: seals_in_order
select seal_no, "at", first_seq, last_seq, size, root, previous, signature, tree from seal order by seal_no;

-- name: details_of_kind
select seq, sheet, source_id, detail from event where kind = $kind order by seq;

-- name: source_as_kept
select source_id, sheet, file_name, sha256, size, encoding, confidence, evidence, delimiter, newline, columns,
    mapping, rules, content_root
from source order by source_id;

-- name: blocks_of_source
select block_no, byte_start, byte_len from source_block where source_id = $source_id order by block_no;

-- name: data_of_blocks
select block_no, byte_len, data from source_block
where source_id = $source_id and block_no >= $first and block_no < $first + $count order by block_no;

-- name: last_kept_row
select coalesce(max(row_no), 0) from {table} where source_id = $source_id;

-- name: cells_as_kept
select row_no, line, byte_start, byte_len, fingerprint, {fields}, extra from {table}
where source_id = $source_id and row_no > $after and row_no <= $upto
order by row_no;

-- name: spans_as_kept
select row_no, line, line_count, byte_start, byte_len, kind, reason from span
where source_id = $source_id order by byte_start;

-- name: row_unlike_its_event
-- The first record that is not the one whose arrival the log tells of.
with kept as (
    select row_no, lower(hex(fingerprint)) as print from {table} where source_id = $source_id
    union all
    select row_no, null from span where source_id = $source_id and kind = 'malformed'
),
told as (
    select row_no, seq, case when starts_with(detail, '{' || '"fingerprint":"') then substr(detail, 17, 32)
        else json_extract_string(detail, '$.fingerprint') end as print
    from event where source_id = $source_id and kind in ('row.accepted', 'row.rejected')
)
select coalesce(kept.row_no, told.row_no) as row_no, told.seq, kept.row_no is null as gone
from kept full join told on told.row_no = kept.row_no
where kept.row_no is null or told.row_no is null or kept.print is distinct from told.print
order by 1 limit 1;

-- name: stray_rows
-- Rows, blocks and spans of a source that no event registers.
select '{table}', source_id from {table} where source_id not in (select source_id from source)
union all select 'source_block', source_id from source_block where source_id not in (select source_id from source)
union all select 'span', source_id from span where source_id not in (select source_id from source)
limit 1;

-- name: rows_of_other_sheets
select source_id from {table} where source_id in (select source_id from source where sheet <> $sheet) limit 1;

-- name: corrections_told
select json_extract(detail, '$.correction')::bigint, json_extract_string(detail, '$.value_digest'), seq
from event where kind = 'finding.decided' and json_extract(detail, '$.correction') is not null order by seq;

-- name: corrections_kept
select correction_id, source_id, row_no, field, value from correction order by correction_id;

-- name: people_kept
select target_id, legacy_id, nhs_index, email, role from tenant_person;

-- name: drawn_kept
-- Kept drawn ids with the chunk that wrote them, NULL for none.
select placed.chunk, kept.source_id, kept.row_no, kept.target_table, kept.target_id
from target_row as kept
left join (
    select chunk, source_id, unnest(range(first_row, last_row + 1))::integer as row_no from committed_run
) as placed on placed.source_id = kept.source_id and placed.row_no = kept.row_no
order by kept.source_id, kept.row_no;

-- name: count_kept
select (select count(*) from stg.main.{table}), (select count(*) from temp.{table});

-- name: unlike_its_refold
-- The first row of a projection that is not what folding the log gives, which stands in a temporary table.
select {names}, {first} is null as missing
from stg.main.{table} as kept
full join temp.{table} as fresh on {same}
where kept is distinct from fresh
order by {order} limit 1;

-- name: log_lines
-- Every event as a line of JSON with its leaf; detail stays the text that the leaf is over.
select json_object('seq', seq, 'at', "at", 'actor', actor, 'kind', kind, 'version', version, 'sheet', sheet,
    'source_id', source_id, 'row_no', row_no, 'finding_id', finding_id, 'detail', detail,
    'leaf', lower(hex(leaf)))::varchar as line
from event where seq <= $upto order by seq;

-- name: rows_of_person
-- The records of one staged patient and those that are linked to them, by the person's own identifier.
with person as (
    select cells.source_id, cells.row_no from row_patients as cells where trim(cells.legacy_id) = $legacy_id
)
select row_state.sheet, row_state.source_id, row_state.row_no, source.file_name, source.sha256, row_state.state,
    coalesce(linked.how, 'own')
from row_state
join source on source.source_id = row_state.source_id
left join (select 'linked' as how) as linked on row_state.sheet <> 'patients'
where (row_state.sheet = 'patients' and (row_state.source_id, row_state.row_no) in (select (source_id, row_no) from person))
    or (row_state.patient_source, row_state.patient_row) in (select (source_id, row_no) from person)
    or row_state.patient_person in (select target_id from tenant_person where trim(legacy_id) = $legacy_id)
order by row_state.source_id, row_state.row_no;

-- name: events_of_rows
-- Every event that names one of these rows: alone, in a set of rows, or through a finding or decision of its.
with runs as (
    select seq, split_part(word, ':', 1)::integer as source_id,
        split_part(split_part(word, ':', 2), '-', 1)::integer as first_row,
        coalesce(nullif(split_part(word, '-', 2), ''), split_part(word, ':', 2))::integer as last_row
    from (
        select seq, unnest(string_split(json_extract_string(detail, '$.rows'), ' ')) as word from event
        where kind in ('value.normalised', 'value.defaulted', 'approval.granted', 'publish.chunk_committed',
            'decision.undone', 'finding.decided', 'values.shown')
    )
    where word <> ''
),
named as (
    select event.seq from event semi join persons_row as wanted
        on wanted.source_id = event.source_id and wanted.row_no = event.row_no
    union
    select decision.seq from decision semi join persons_row as wanted
        on wanted.source_id = decision.source_id and wanted.row_no = decision.row_no
    union
    select seq from runs join persons_row as wanted on wanted.source_id = runs.source_id
        and wanted.row_no between runs.first_row and runs.last_row
    union
    select asked.seq from (
        select seq, unnest(string_split(json_extract_string(detail, '$.findings'), ' ')) as word from event
        where kind = 'finding.assigned'
    ) as asked
    join finding on finding.finding_id between split_part(word, '-', 1)::bigint
        and coalesce(nullif(split_part(word, '-', 2), ''), word)::bigint
    semi join persons_row as wanted on wanted.source_id = finding.source_id and wanted.row_no = finding.row_no
    union
    select seq from event where kind in ('source.registered', 'column.mapped')
        and source_id in (select source_id from persons_row)
    union
    select seq from event where kind = 'migration.opened'
)
select seq, "at", actor, kind, version, sheet, source_id, row_no, finding_id, detail, lower(hex(leaf)) as leaf
from event where seq in (select seq from named) order by seq;

-- name: target_rows_of_source
select row_no, target_table, target_id from target_row where source_id = $source_id order by row_no;

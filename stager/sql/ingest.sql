-- Staging a file: facts block by block, then its events set-wise.

-- name: source_by_content
select source_id, file_name from source where sha256 = $sha256;

-- name: next_source
select coalesce(max(source_id), 0) + 1 from source;

-- name: add_source
insert into source values (
    $source_id, $sheet, $file_name, $sha256, $size, $encoding, $confidence, $evidence, $delimiter, $newline,
    $columns, $mapping, $rules, $content_root);

-- name: add_kept
insert into source_block select source_id, block_no, byte_start, byte_len, data from gathered_kept;

-- name: add_rows
insert into {table} (source_id, row_no, line, byte_start, byte_len, fingerprint, {fields}, extra)
select source_id, row_no, line, byte_start, byte_len, fingerprint, {fields}, extra from gathered_rows;

-- name: add_spans
insert into span (source_id, row_no, line, line_count, byte_start, byte_len, kind, reason)
select source_id, row_no, line, line_count, byte_start, byte_len, kind, reason from gathered_spans;

-- name: start_issues
create or replace temp table new_issue (
    source_id integer, row_no integer, field varchar, code varchar, rule varchar, standing boolean, subject blob);

-- name: start_changes
create or replace temp table new_change (source_id integer, row_no integer, field varchar, code varchar, rule varchar);

-- name: add_issues
insert into new_issue select source_id, row_no, field, code, rule, standing, subject from gathered_issues;

-- name: add_changes
insert into new_change select source_id, row_no, field, code, rule from gathered_changes;

-- name: find_rejected_rows
create or replace temp table rejected_row as
select $sheet as sheet, cells.source_id, cells.row_no, null::bigint as finding_id,
    json_object('codes', bad.codes, 'fingerprint', lower(hex(fingerprint)))::varchar as detail
from {table} as cells
join (
    select row_no, list(distinct code order by code) as codes
    from new_issue where code in ('value.missing', 'value.invalid') group by row_no
) as bad on bad.row_no = cells.row_no
where cells.source_id = $source_id
union all
select $sheet, source_id, row_no, null, json_object('codes', ['row.malformed'])::varchar
from span where source_id = $source_id and kind = 'malformed';

-- name: find_raised
create or replace temp table raised_finding as
select $sheet as sheet, source_id, row_no, $last + row_number() over (order by row_no, field, code) as finding_id,
    finding_detail(code, field, rule, standing, subject, null, null) as detail
from (
    select source_id, row_no, field, code, rule, standing, lower(hex(subject)) as subject from new_issue
    union all
    select source_id, row_no, null, 'row.malformed', reason, false, reason
    from span where source_id = $source_id and kind = 'malformed'
);

-- name: changed_sets
-- Every change by column and rule, with the rows it was made in.
select code, field, rule, sum(last_row - first_row + 1)::bigint,
    string_agg(run_word(source_id, first_row, last_row), ' ' order by first_row)
from (
    select code, field, rule, source_id, min(row_no) as first_row, max(row_no) as last_row
    from (
        select *, row_no - row_number() over (partition by code, field, rule order by row_no) as island from new_change
    )
    group by code, field, rule, source_id, island
)
group by code, field, rule
order by code, field, rule;

-- name: find_corrected
-- What each record of a reject file that came back says it corrects: a row of the sheet's first source, which
-- was the only one when a bare number was written, or "source:row". It must stand in the line that is said; where
-- a correction has taken its place already, that one is meant.
create or replace temp table corrected_row as
with recursive said as (
    select cells.source_id, cells.row_no, json_extract_string(extra, '$.stager_row') as old,
        try_cast(json_extract_string(extra, '$.stager_line') as integer) as line
    from {table} as cells where cells.source_id = $source_id and extra is not null
),
named as (
    select source_id, row_no, line,
        case when contains(old, ':') then try_cast(split_part(old, ':', 1) as integer)
             else (select min(source_id) from source where sheet = $sheet and source_id < $source_id) end as old_source,
        try_cast(case when contains(old, ':') then split_part(old, ':', 2) else old end as integer) as old_row
    from said where trim(old) <> ''
),
known as (
    select source_id, row_no, line from {table} where source_id < $source_id
    union all
    select source_id, row_no, line from span where row_no is not null
),
step as (
    select source_id || ':' || row_no as place, json_extract_string(detail, '$.by') as into_place
    from event where kind = 'row.superseded'
),
meant as (
    select named.source_id, named.row_no, known.source_id || ':' || known.row_no as place
    from named
    left join known on known.source_id = old_source and known.row_no = old_row and known.line = named.line
    union all
    select meant.source_id, meant.row_no, step.into_place from meant join step on step.place = meant.place
)
select meant.source_id, meant.row_no, meant.place, row_state.source_id as old_source, row_state.row_no as old_row,
    row_state.state
from meant
anti join step on step.place = meant.place
left join row_state on row_state.sheet = $sheet and row_state.source_id || ':' || row_state.row_no = meant.place;

-- name: find_superseded
create or replace temp table superseded_row as
select $sheet as sheet, old_source as source_id, old_row as row_no, null::bigint as finding_id,
    json_object('by', arg_min(source_id || ':' || row_no, row_no))::varchar as detail
from corrected_row where state not in ('published', 'excluded')
group by old_source, old_row;

-- name: find_contested
create or replace temp table contested_row as
select $sheet as sheet, source_id, row_no, $last + row_number() over (order by row_no) as finding_id,
    finding_detail('row.repeated', null, rule, true, coalesce(place, ''), place, null) as detail
from (
    select source_id, row_no, place,
        case when state is null then 'corrects_unknown' when state = 'published' then 'corrects_published'
             else 'corrects_excluded' end as rule
    from corrected_row where coalesce(state, 'published') in ('published', 'excluded') and source_id = $source_id
);

-- name: find_superseded_findings
create or replace temp table superseded_finding as
select finding.sheet, finding.source_id, finding.row_no, finding.finding_id, '{' || '"why":"superseded"}' as detail
from finding
semi join superseded_row as gone on gone.source_id = finding.source_id and gone.row_no = finding.row_no
where finding.state = 'open';

-- name: columns_of_sources
select source_id, encoding, columns from source where sheet = $sheet order by source_id;

-- name: blocks_of_stretch
select byte_start, byte_len, data from source_block
where source_id = $source_id and byte_start < $first + $count and byte_start + byte_len > $first
order by block_no;

-- name: rejected_cells
-- The rejected and held records of a source with what is open against each.
with open_finding as (
    select row_no, list_sort(list(distinct code)) as codes,
        list_sort(list(code || '|' || coalesce(field, '') || '|' || coalesce(rule, ''))) as reasons
    from finding where source_id = $source_id and state = 'open' group by row_no
),
record as (
    select source_id, row_no, line, byte_start, byte_len, false as malformed from {table} where source_id = $source_id
    union all
    select source_id, row_no, line, byte_start, byte_len, true from span
    where source_id = $source_id and kind = 'malformed'
)
select record.*, open_finding.codes, open_finding.reasons, cells.* exclude (source_id, row_no, line, byte_start, byte_len)
from record
join row_state on row_state.source_id = record.source_id and row_state.row_no = record.row_no
    and row_state.state in ('rejected', 'held')
join open_finding on open_finding.row_no = record.row_no
left join {table} as cells on cells.source_id = record.source_id and cells.row_no = record.row_no
order by record.row_no;

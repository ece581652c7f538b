-- Staging a file: facts block by block, then its events set-wise.

-- name: source_by_content
select source_id, file_name from source where sha256 = $sha256;

-- name: next_source
select coalesce(max(source_id), 0) + 1 from source;

-- name: add_source
insert into source values (
    $source_id, $sheet, $file_name, $sha256, $size, $encoding, $confidence, $evidence, $delimiter, $newline,
    $columns, $mapping, $rules, $content_root);

-- name: add_block
insert into source_block values ($source_id, $block_no, $byte_start, $byte_len, $data);

-- name: add_rows
insert into {table} (source_id, row_no, line, byte_start, byte_len, fingerprint, {fields}, extra)
select source_id, row_no, line, byte_start, byte_len, fingerprint, {fields}, extra from block_cells;

-- name: add_spans
insert into span (source_id, row_no, line, line_count, byte_start, byte_len, kind, reason)
select source_id, row_no, line, line_count, byte_start, byte_len, kind, reason from block_spans;

-- name: start_issues
create or replace temp table new_issue (
    source_id integer, row_no integer, field varchar, code varchar, rule varchar, standing boolean, subject blob);

-- name: start_changes
create or replace temp table new_change (source_id integer, row_no integer, field varchar, code varchar, rule varchar);

-- name: add_issues
insert into new_issue select source_id, row_no, field, code, rule, standing, subject from block_issues;

-- name: add_changes
insert into new_change select source_id, row_no, field, code, rule from block_changes;

-- name: find_accepted_rows
create or replace temp table accepted_row as
select $sheet as sheet, source_id, row_no, null::bigint as finding_id,
    '{' || '"fingerprint":"' || lower(hex(fingerprint)) || '"}' as detail
from {table} as cells
anti join (select row_no from new_issue where code in ('value.missing', 'value.invalid')) as bad
    on bad.row_no = cells.row_no
where cells.source_id = $source_id;

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

-- name: find_superseded
-- "stager_row" is a row of the sheet's only earlier source, or "source:row" where it had more.
create or replace temp table superseded_row as
with said as (
    select cells.source_id || ':' || cells.row_no as by_row, json_extract_string(extra, '$.stager_row') as old
    from {table} as cells where cells.source_id = $source_id and extra is not null
),
meant as (
    select by_row,
        case when contains(old, ':') then try_cast(split_part(old, ':', 1) as integer)
             else (select any_value(source_id) from source where sheet = $sheet and source_id < $source_id
                   having count(*) = 1) end as source_id,
        try_cast(case when contains(old, ':') then split_part(old, ':', 2) else old end as integer) as row_no
    from said
)
select $sheet as sheet, row_state.source_id, row_state.row_no, null::bigint as finding_id,
    json_object('by', min(by_row))::varchar as detail
from meant
join row_state on row_state.source_id = meant.source_id and row_state.row_no = meant.row_no
where row_state.sheet = $sheet and row_state.state in ('rejected', 'held', 'waiting')
group by all;

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

-- What a reviewer's screens ask: the queue of findings, records, persons to choose from, the log.

-- name: queue_ids
select finding.finding_id
from finding
join row_state on row_state.source_id = finding.source_id and row_state.row_no = finding.row_no
where {conditions}
order by {order}, finding.finding_id;

-- name: queue_facet
select {column}, count(*) from finding
join row_state on row_state.source_id = finding.source_id and row_state.row_no = finding.row_no
where {conditions} and {column} is not null
group by 1 order by 2 desc, 1;

-- name: rows_meant
create or replace temp table row_meant as
select distinct finding.sheet, finding.source_id, finding.row_no from finding
join row_state on row_state.source_id = finding.source_id and row_state.row_no = finding.row_no
where {conditions};

-- name: rows_with_text
select cells.source_id, cells.row_no from {table} as cells
semi join row_meant on row_meant.source_id = cells.source_id and row_meant.row_no = cells.row_no
where {contains};

-- name: corrections_with_text
select decision.source_id, decision.row_no from decision
join correction on correction.correction_id = decision.correction_id
    and correction.source_id = decision.source_id and correction.row_no = decision.row_no
semi join row_meant on row_meant.source_id = decision.source_id and row_meant.row_no = decision.row_no
where decision.undone_seq is null and contains(lower(correction.value), lower($text));

-- name: assignments
-- Whom the newest assignment of each finding names, and the note to it.
select finding_id, "to", note from (
    select finding_id, arg_max("to", seq) as "to", arg_max_null(note, seq) as note
    from (
        select seq, "to", note, unnest(range(
            split_part(word, '-', 1)::bigint,
            coalesce(nullif(split_part(word, '-', 2), ''), word)::bigint + 1)) as finding_id
        from (
            select seq, json_extract_string(detail, '$.to') as "to", json_extract_string(detail, '$.note') as note,
                unnest(string_split(json_extract_string(detail, '$.findings'), ' ')) as word
            from event where kind = 'finding.assigned'
        )
    )
    group by finding_id
)
where "to" <> '';

-- name: findings_shown
-- The findings of a page with their rows' files and persons, in the page's order.
select finding.finding_id, finding.sheet, finding.source_id, finding.row_no, finding.code, finding.field, finding.rule,
    finding.standing, finding.subject, finding.related, finding.suggestions, finding.state,
    source.file_name,
    case when finding.sheet = 'patients' then finding.source_id || ':' || finding.row_no
         else coalesce(row_state.patient_source || ':' || row_state.patient_row, 'tenant:' || row_state.patient_person)
    end as person
from shown
join finding on finding.finding_id = shown.finding_id
join row_state on row_state.source_id = finding.source_id and row_state.row_no = finding.row_no
join source on source.source_id = finding.source_id
order by shown.position;

-- name: cells_shown
select cells.source_id, cells.row_no, cells.line, {fields} from {table} as cells
semi join shown_row on shown_row.source_id = cells.source_id and shown_row.row_no = cells.row_no;

-- name: lines_of_malformed
select span.source_id, span.row_no, span.line from span
semi join shown_row on shown_row.source_id = span.source_id and shown_row.row_no = span.row_no;

-- name: corrections_shown
-- What people typed in for these rows' cells, the latest that is not undone.
select decision.source_id, decision.row_no, decision.field, arg_max_null(correction.value, decision.seq) as value
from decision
join correction on correction.correction_id = decision.correction_id
    and correction.source_id = decision.source_id and correction.row_no = decision.row_no
semi join shown_row on shown_row.source_id = decision.source_id and shown_row.row_no = decision.row_no
where decision.undone_seq is null
group by all;

-- name: tenants_shown
select target_id, legacy_id, email, role from tenant_person
semi join shown_person on shown_person.target_id = tenant_person.target_id;

-- name: patient_of_row
select coalesce(patient_source || ':' || patient_row, 'tenant:' || patient_person) from row_state
where source_id = $source_id and row_no = $row_no;

-- name: unknown_cells_of_row
select extra from {table} where source_id = $source_id and row_no = $row_no and extra is not null;

-- name: counts_of_persons_rows
select coalesce(patient_source || ':' || patient_row, 'tenant:' || patient_person) as place, sheet, count(*)
from row_state
where sheet <> 'patients' and ((patient_source, patient_row) in (select (source_id, row_no) from shown_row)
    or patient_person in (select target_id from shown_person))
group by 1, 2;

-- name: states_of_rows
select row_state.source_id, row_state.row_no, row_state.state from row_state
semi join shown_row on shown_row.source_id = row_state.source_id and shown_row.row_no = row_state.row_no;

-- name: count_values
create or replace temp table counted_value as
select value, rows, coalesce(regexp_matches(value, '[^\t-\r\x{85}\p{Z}]'), false) as filled
from (select {field} as value, count(*) as rows from {table} group by 1);

-- name: look_of_column
select coalesce(sum(rows) filter (filled), 0)::bigint, coalesce(sum(rows), 0)::bigint, count(*) filter (filled) from counted_value;

-- name: values_of_column
select value, rows from counted_value where filled order by rows desc, value limit $most;

-- name: log_seqs
select seq from event where {conditions} order by seq desc;

-- name: log_page
-- Events by their numbers, newest first. Of a long detail the sets are left out.
select seq, "at", actor, kind, case when strlen(detail) > 2000
    then json_merge_patch(detail, '{' || '"rows":null,"findings":null}')::varchar else detail end,
    sheet, source_id, row_no, finding_id
from event semi join shown_event using (seq) where event.seq between $first and $last order by seq desc;

-- name: rows_of_timeline
-- A person's own row and the rows linked to them.
create or replace temp table persons_row as
select source_id, row_no from row_state where {conditions};

-- name: seqs_of_rows
-- Every event that names one of these rows: alone, in a set of rows, or through a finding or decision of its.
with runs as (
    select seq, split_part(word, ':', 1)::integer as source_id,
        split_part(split_part(word, ':', 2), '-', 1)::integer as first_row,
        coalesce(nullif(split_part(word, '-', 2), ''), split_part(word, ':', 2))::integer as last_row
    from (
        select seq, unnest(string_split(json_extract_string(detail, '$.rows'), ' ')) as word from event
        where kind in ('value.normalised', 'value.defaulted', 'approval.granted', 'publish.chunk_committed',
            'decision.undone', 'values.shown')
    )
    where word <> ''
)
select event.seq from event semi join persons_row as wanted
    on wanted.source_id = event.source_id and wanted.row_no = event.row_no
union
select decision.seq from decision semi join persons_row as wanted
    on wanted.source_id = decision.source_id and wanted.row_no = decision.row_no
union
select runs.seq from runs join persons_row as wanted on wanted.source_id = runs.source_id
    and wanted.row_no between runs.first_row and runs.last_row
union
select asked.seq from (
        select seq, unnest(string_split(json_extract_string(detail, '$.findings'), ' ')) as word from event
        where kind = 'finding.assigned'
    ) as asked
    join finding on finding.finding_id between split_part(word, '-', 1)::bigint
        and coalesce(nullif(split_part(word, '-', 2), ''), word)::bigint
    semi join persons_row as wanted on wanted.source_id = finding.source_id and wanted.row_no = finding.row_no
order by 1 desc;

-- name: last_decision
-- The newest decision that stands, about rows of which none is published.
select decision.seq from decision
join row_state on row_state.source_id = decision.source_id and row_state.row_no = decision.row_no
where decision.undone_seq is null and decision.decision <> 'supersede' and ($actor is null or decision.actor = $actor)
group by decision.seq having not bool_or(row_state.state = 'published')
order by decision.seq desc limit 1;

-- name: findings_of_decision
select finding_id from decision where seq = $seq and finding_id is not null order by finding_id;

-- name: people_with_words
-- Persons in whose cells every word stands, spaces and hyphens in numbers and postcodes aside.
select place from (
    select row_state.source_id || ':' || row_state.row_no as place, lower(trim(cells.legacy_id)) = $whole as exact,
        row_state.source_id as source_id, row_state.row_no as row_no,
        lower(concat_ws(chr(10), cells.legacy_id, cells.first_name, cells.last_name, cells.date_of_birth,
            cells.nhs_number, replace(replace(cells.nhs_number, ' ', ''), '-', ''), cells.email,
            cells.postcode, replace(cells.postcode, ' ', ''), typed.words)) as words
    from row_patients as cells
    join row_state on row_state.source_id = cells.source_id and row_state.row_no = cells.row_no
    left join (
        select decision.source_id, decision.row_no, string_agg(correction.value, chr(10)) as words
        from decision join correction on correction.correction_id = decision.correction_id
            and correction.source_id = decision.source_id and correction.row_no = decision.row_no
        where decision.undone_seq is null group by all
    ) as typed on typed.source_id = cells.source_id and typed.row_no = cells.row_no
    where row_state.state <> 'excluded'
    union all
    select 'tenant:' || target_id, lower(legacy_id) = $whole, null, null,
        lower(concat_ws(chr(10), legacy_id, email, target_id))
    from tenant_person
)
where len(list_filter($words, lambda word: not contains(words, word))) = 0
order by exact desc nulls last, source_id nulls last, row_no, place
limit $most;

-- name: rows_of_one
select sheet, source_id, row_no from row_state
where patient_person = $person or (patient_source = $source_id and patient_row = $row_no)
order by sheet, source_id, row_no limit $most;

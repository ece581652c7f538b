-- What a session shows.

-- name: open_findings_by_code
select code, count(*) from finding
join row_state on row_state.source_id = finding.source_id and row_state.row_no = finding.row_no
where finding.state = 'open' and row_state.state <> 'excluded'
group by code order by code;

-- name: rows_as_they_stand
with open_finding as (
    select source_id, row_no, list_sort(list(distinct code)) as codes from finding where state = 'open' group by 1, 2
),
placed as (
    select source_id, row_no, line from row_patients
    union all select source_id, row_no, line from row_background
    union all select source_id, row_no, line from row_notes
    union all select source_id, row_no, line from row_medications
    union all select source_id, row_no, line from span where row_no is not null
),
person as (
    select cells.source_id, cells.row_no, regexp_replace(coalesce(corrected.value, cells.legacy_id), '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g') as legacy_id
    from row_patients as cells
    left join (
        select decision.source_id, decision.row_no, arg_max(correction.value, decision.seq) as value
        from decision join correction on correction.correction_id = decision.correction_id
            and correction.source_id = decision.source_id and correction.row_no = decision.row_no
        where decision.undone_seq is null and decision.field = 'legacy_id' group by 1, 2
    ) as corrected on corrected.source_id = cells.source_id and corrected.row_no = cells.row_no
),
known as (
    select row_state.sheet, source.file_name, source.sha256, row_state.source_id, row_state.row_no, placed.line,
        row_state.state,
        case when row_state.state = 'excluded' then []
             when row_state.state = 'waiting' then ['patient.waiting']
             else coalesce(open_finding.codes, []) end as codes,
        case when row_state.sheet <> 'patients' then coalesce(person.legacy_id, own.legacy_id, own.target_id) end as patient,
        row_state.via, drawn.target_id
    from row_state
    join source on source.source_id = row_state.source_id
    join placed on placed.source_id = row_state.source_id and placed.row_no = row_state.row_no
    left join open_finding on open_finding.source_id = row_state.source_id and open_finding.row_no = row_state.row_no
    left join person
        on person.source_id = row_state.patient_source and person.row_no = row_state.patient_row
    left join tenant_person as own on own.target_id = row_state.patient_person
    left join target_row as drawn on drawn.source_id = row_state.source_id and drawn.row_no = row_state.row_no
)
select * from known as row_state
where {conditions}
order by case sheet when 'patients' then 1 when 'background' then 2 when 'notes' then 3 else 4 end, source_id, row_no;

-- name: sheet_of_source
select sheet from source where source_id = $source_id;

-- name: place_of_row
select source.file_name, source.sha256, source.encoding, placed.line, placed.byte_start, placed.byte_len,
    row_state.state, drawn.target_id, coalesce(patient_source || ':' || patient_row, 'tenant:' || patient_person) as patient,
    coalesce(practitioner_source || ':' || practitioner_row, 'tenant:' || practitioner_person) as practitioner,
    row_state.via, row_state.approval_seq, row_state.chunk_seq
from row_state
join source on source.source_id = row_state.source_id
join (
    select source_id, row_no, line, byte_start, byte_len from {table}
    union all
    select source_id, row_no, line, byte_start, byte_len from span where row_no is not null
) as placed on placed.source_id = row_state.source_id and placed.row_no = row_state.row_no
left join target_row as drawn on drawn.source_id = row_state.source_id and drawn.row_no = row_state.row_no
where row_state.source_id = $source_id and row_state.row_no = $row_no;

-- name: events_of_row
-- Every event that names the row: alone, in a set of rows, or through a finding of its. Of a long detail
-- the sets are left out.
select seq, "at", actor, kind, case when strlen(detail) > 2000
    then json_merge_patch(detail, '{' || '"rows":null,"findings":null}')::varchar else detail end
from event
where (source_id = $source_id and row_no = $row_no)
    or seq in (select seq from decision where source_id = $source_id and row_no = $row_no)
    or seq in (select asked.seq from (
        select seq, unnest(string_split(json_extract_string(detail, '$.findings'), ' ')) as word from event
        where kind = 'finding.assigned'
    ) as asked
    join finding on finding.finding_id between split_part(word, '-', 1)::bigint
        and coalesce(nullif(split_part(word, '-', 2), ''), word)::bigint
    where finding.source_id = $source_id and finding.row_no = $row_no)
    or (kind in ('value.normalised', 'value.defaulted', 'approval.granted', 'publish.chunk_committed', 'decision.undone',
            'values.shown')
        and seq in (
            select seq from (
                select seq, unnest(string_split(json_extract_string(detail, '$.rows'), ' ')) as word from event
                where kind in ('value.normalised', 'value.defaulted', 'approval.granted', 'publish.chunk_committed',
                               'decision.undone', 'values.shown')
            )
            where word <> '' and split_part(word, ':', 1)::integer = $source_id
                and $row_no between split_part(split_part(word, ':', 2), '-', 1)::integer
                and coalesce(nullif(split_part(word, '-', 2), ''), split_part(word, ':', 2))::integer))
order by seq;

-- name: row_of_target
select source_id, row_no, target_table from target_row where target_id = $target_id;

-- name: sources_with_rows
select source.source_id, source.sheet, source.sha256, max(row_state.row_no)
from source join row_state on row_state.source_id = source.source_id group by all order by 1;

-- name: has_snapshot
select exists (select 1 from event where kind = 'tenant.snapshotted');

-- name: last_snapshot
select json_extract_string(detail, '$.digest') from event where kind = 'tenant.snapshotted' order by seq desc limit 1;

-- name: forget_snapshot
delete from tenant_person;

-- name: keep_snapshot
insert into tenant_person select target_id, legacy_id, nhs_index, email, role from snapshot;

-- name: sources_of_patients
select sha256 from source where sheet = 'patients' order by source_id;

-- name: places_of_legacy_id
select cells.source_id || ':' || cells.row_no
from row_patients as cells
join row_state on row_state.source_id = cells.source_id and row_state.row_no = cells.row_no
left join (
    select decision.source_id, decision.row_no, arg_max(correction.value, decision.seq) as value
    from decision join correction on correction.correction_id = decision.correction_id
        and correction.source_id = decision.source_id and correction.row_no = decision.row_no
    where decision.undone_seq is null and decision.field = 'legacy_id' group by 1, 2
) as corrected on corrected.source_id = cells.source_id and corrected.row_no = cells.row_no
where row_state.state <> 'excluded' and $legacy_id = regexp_replace(coalesce(corrected.value, cells.legacy_id), '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g')
union
select 'tenant:' || target_id from tenant_person where $legacy_id = regexp_replace(legacy_id, '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g');

-- name: decided_link
-- The person's decision that the row's link stands by.
select decision.seq, decision.actor, json_extract_string(event.detail, '$.reason')
from decision join event on event.seq = decision.seq
where decision.source_id = $source_id and decision.row_no = $row_no and decision.undone_seq is null
    and decision.decision = 'link' and coalesce(decision.code, '') not like 'practitioner.%'
order by decision.seq desc limit 1;

-- name: cells_of_row
select {fields} from {table} where source_id = $source_id and row_no = $row_no;

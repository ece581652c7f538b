-- Decisions: choosing findings, the people named, and what was typed in.

-- name: findings
select finding.finding_id, finding.sheet, finding.source_id, finding.row_no, finding.code, finding.field, finding.rule,
    finding.standing, finding.subject, finding.related, finding.suggestions, finding.state
from finding
join row_state on row_state.source_id = finding.source_id and row_state.row_no = finding.row_no
where {conditions}
order by finding.finding_id;

-- name: count_findings
select count(*) from finding
join row_state on row_state.source_id = finding.source_id and row_state.row_no = finding.row_no
where {conditions};

-- name: rows_not_in
select chosen_rows.sheet, chosen_rows.row_no, coalesce(row_state.state, 'not known')
from chosen_rows
left join row_state on row_state.sheet = chosen_rows.sheet and row_state.source_id = chosen_rows.source_id
    and row_state.row_no = chosen_rows.row_no
where coalesce(row_state.state, 'not known') not in ({states})
order by 1, 2 limit 1;

-- name: rows_replaced
-- Excluded rows that no putting back can help: their merge is to be undone, or a later record has their place.
select chosen_rows.sheet, chosen_rows.row_no, case latest.decision when 'merge' then 'merged' else 'superseded' end
from chosen_rows
join (
    select source_id, row_no, arg_max(decision, seq) as decision from decision
    where undone_seq is null and decision in ('exclude', 'merge', 'supersede', 'put_back') group by 1, 2
) as latest on latest.source_id = chosen_rows.source_id and latest.row_no = chosen_rows.row_no
where latest.decision in ('merge', 'supersede')
order by 1, 2 limit 1;

-- name: states_of_findings
select finding.finding_id, finding.state, row_state.state
from chosen_finding
join finding on finding.finding_id = chosen_finding.finding_id
join row_state on row_state.source_id = finding.source_id and row_state.row_no = finding.row_no;

-- name: same_questions
-- Open findings that ask of the other rows of a group what the chosen ones ask of theirs.
select distinct other.finding_id
from chosen_finding
join finding as one on one.finding_id = chosen_finding.finding_id and one.code = 'patient.duplicate'
join finding as other on other.state = 'open' and other.code = one.code and other.subject = one.subject
    and other.rule is not distinct from one.rule
join row_state on row_state.source_id = other.source_id and row_state.row_no = other.row_no
    and row_state.state <> 'excluded';

-- name: same_cells
-- Open findings of the rules of values about the very cells that the chosen ones are about.
select distinct other.finding_id
from chosen_finding
join finding as one on one.finding_id = chosen_finding.finding_id
join finding as other on other.state = 'open' and other.source_id = one.source_id and other.row_no = one.row_no
    and other.field = one.field
where other.code like 'value.%' and coalesce(other.rule, '') <> 'before_birth';

-- name: decision_to_undo
select distinct decision.source_id, decision.row_no, row_state.state
from decision
join row_state on row_state.source_id = decision.source_id and row_state.row_no = decision.row_no
where decision.seq = $seq and decision.undone_seq is null and decision.decision <> 'supersede';

-- name: place_stands
-- Whether a person is there to be linked to: staged with readable cells and not excluded, or the tenant's own.
select exists (
    select 1 from row_state join row_patients as cells
        on cells.source_id = row_state.source_id and cells.row_no = row_state.row_no
    where row_state.source_id = try_cast(split_part($place, ':', 1) as integer)
        and row_state.row_no = try_cast(split_part($place, ':', 2) as integer)
        and row_state.source_id || ':' || row_state.row_no = $place and row_state.state <> 'excluded')
    or exists (select 1 from tenant_person where target_id = tenant_part($place));

-- name: merged_into
select source_id || ':' || row_no from decision
where decision = 'merge' and undone_seq is null
    and coalesce(target_source || ':' || target_row, 'tenant:' || target_person) = $place;

-- name: indexes_of
-- The blind indexes that the tenant's own people among these have.
select distinct nhs_index from tenant_person
where list_contains($places, 'tenant:' || target_id) and octet_length(nhs_index) > 0;

-- name: role_of
select role from tenant_person where target_id = $target_id;

-- name: rows_linked_to
-- The rows that belong to one of these persons, by rule or decision, with the person's place.
select coalesce(patient_source || ':' || patient_row, 'tenant:' || patient_person), sheet, source_id, row_no
from row_state
where state <> 'excluded' and sheet <> 'patients'
    and ((patient_source, patient_row) in (select (source_id, row_no) from named_row)
        or patient_person in (select target_id from named_person));

-- name: next_correction
select coalesce(max(correction_id), 0) + 1 from correction;

-- name: add_corrections
insert into correction select correction_id, source_id, row_no, field, value from new_correction;

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
    where row_state.source_id || ':' || row_state.row_no = $place and row_state.state <> 'excluded')
    or exists (select 1 from tenant_person where 'tenant:' || target_id = $place);

-- name: merged_into
select source_id || ':' || row_no from decision
where decision = 'merge' and undone_seq is null
    and coalesce(target_source || ':' || target_row, 'tenant:' || target_person) = $place;

-- name: person_index
select nhs_index from tenant_person where target_id = $target_id and nhs_index is not null;

-- name: next_correction
select coalesce(max(correction_id), 0) + 1 from correction;

-- name: add_corrections
insert into correction select correction_id, source_id, row_no, field, value from new_correction;

-- name: last_row_decision
select max(seq) from decision where source_id = $source_id and row_no = $row_no and undone_seq is null;

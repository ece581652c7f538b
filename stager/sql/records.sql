-- Records as they stand.

-- name: rules_of_sheet
select source_id, rules from source where sheet = $sheet;

-- name: spans_of_rows
-- Between which row numbers the rows of {among} stand, source by source.
select source_id, min(row_no), max(row_no) from {among} group by source_id order by source_id;

-- name: rules_of_source
select rules from source where source_id = $source_id;

-- name: cells_of_rows
select cells.source_id, cells.row_no, {fields}
from {table} as cells
semi join {among} as wanted on wanted.source_id = cells.source_id and wanted.row_no = cells.row_no
where cells.source_id = $source_id and cells.row_no between $first and $last
order by cells.row_no;

-- name: corrected_fields
select distinct field from correction;

-- name: standing_corrections
-- What people typed in to replace cells, the latest that is not undone.
select decision.source_id, decision.row_no, decision.field, arg_max_null(correction.value, decision.seq) as value
from decision
join correction on correction.correction_id = decision.correction_id
    and correction.source_id = decision.source_id and correction.row_no = decision.row_no
join source on source.source_id = decision.source_id and source.sheet = $sheet
where decision.undone_seq is null
group by all;

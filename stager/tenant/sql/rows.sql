-- name: copy_rows
copy {table} ({columns}) from stdin (format binary)

-- name: existing_ids
-- Which of some ids the table has; the ids travel as text and are cast to the id's type.
select {id}::text from {table} where {id} = any(%s::text[]::{type}[])

-- name: draw_ids
select nextval(%s::regclass) from generate_series(1, %s)

-- name: copy_lineage
copy stager_lineage (sheet, source_sha256, row_no, target_table, target_id) from stdin (format binary)

-- name: read_lineage
select row_no, target_table, target_id from stager_lineage
where source_sha256 = %s and sheet = %s and row_no between %s and %s
order by row_no

-- name: lineage_of_target
select sheet, source_sha256, row_no, target_table, target_id from stager_lineage
where target_table = %s and target_id = %s

-- name: one_moment
-- All that verify reads is read as it stood at one moment, and nothing can be written.
set transaction isolation level repeatable read, read only

-- name: copy_out
copy (select {columns} from {table} where {id} = any({ids}::{type}[]) order by {id}) to stdout (format binary)

-- name: whether_there_is_one
{column} is not null

-- name: sealed_cells
select {columns} from {table} where {id} = any(%s::text[]::{type}[]) order by {id}

-- name: ids_between
-- The ids that a source's rows can have, taken or not.
select {id} from {table} where {id} between %s and %s order by {id}

-- name: count_ids_between
select count(*) from {table} where {id} between %s and %s

-- name: lineage_of_source
select row_no, target_table, target_id from stager_lineage where source_sha256 = %s and sheet = %s order by row_no

-- name: check_constraints_at_once
-- A deferred constraint would speak at COMMIT, where no row can be blamed any more.
set constraints all immediate

-- name: read_protected_cells
-- The next rows by id, with the columns that hold sealed values.
select {columns} from {table} where {after} order by {id} limit %s

-- name: lock_protected_cells
-- The same rows again, so that nobody changes a value between its opening and its sealing.
select {columns} from {table} where {id} = any(%s) order by {id} for update

-- name: replace_protected_cells
update {table} set {assignments} where {id} = %s

-- name: key_of_protected_cell
-- The key id that some sealed value of a column carries.
select substring({column} from 2 for 4) from {table} where {column} is not null limit 1

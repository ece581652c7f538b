-- name: read_ledger
select migration_id, chunk, sheet, first_event, last_event, rows, digest, refused, seal_size, seal_root, written_at
from stager_ledger where migration_id = %s order by chunk

-- name: read_ledger_entry
select migration_id, chunk, sheet, first_event, last_event, rows, digest, refused, seal_size, seal_root, written_at
from stager_ledger where migration_id = %s and chunk = %s

-- name: write_ledger_entry
-- A second writer of the same chunk waits here for the first one's transaction, then gets no row back.
insert into stager_ledger
    (migration_id, chunk, sheet, first_event, last_event, rows, digest, refused, seal_size, seal_root)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (migration_id, chunk) do nothing
returning written_at

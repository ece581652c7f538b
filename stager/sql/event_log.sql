-- The log: appending and sealing.

-- name: event_head
select coalesce(max(seq), 0) from event;

-- name: append_event
insert into event values
    ($seq, $at, $actor, $kind, $version, $sheet, $source_id, $row_no, $finding_id, $detail, $leaf);

-- name: stretches_of_rows
-- Between which sources and row numbers the rows of {table} stand: all together where they are few, else by
-- source and stretches of row numbers. To order them all at once would cost more than all the rest.
select min(source_id), max(source_id), min(row_no), max(row_no) from {table}
group by case when not $few then source_id end, case when not $few then row_no // $stretch end order by 1, 3;

-- name: ordered_rows
select sheet, source_id, row_no, finding_id, detail from {table}
where source_id between $source and $last_source and row_no between $row and $last_row
order by source_id, row_no, finding_id;

-- name: append_ready
insert into event
select seq, "at", actor, kind, version, sheet, source_id, row_no, finding_id, detail, leaf from ready_events;

-- name: count_seqs
-- How many numbers the events of a stretch have between them.
select count(distinct seq) from event where seq > $after and seq <= $upto;

-- name: leaves_after
select leaf from event where seq > $after order by seq;

-- name: leaves_between
select leaf from event where seq > $after and seq <= $last order by seq;

-- name: last_seal
-- Column by column: to order so few rows and take the first of them takes twice as long.
select max(seal_no), arg_max("at", seal_no), arg_max(first_seq, seal_no), arg_max(last_seq, seal_no),
    arg_max(size, seal_no), arg_max(root, seal_no), arg_max(previous, seal_no), arg_max(signature, seal_no)
from seal having count(*) > 0;

-- name: seal_tree
select tree from seal where seal_no = $seal_no;

-- name: append_seal
insert into seal values
    ($seal_no, $at, $first_seq, $last_seq, $size, $root, $previous, $tree, $signature);

-- name: seal_of_size
select root from seal where size = $size;

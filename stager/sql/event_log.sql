-- The log: appending and sealing.

-- name: event_head
select coalesce(max(seq), 0) from event;

-- name: append_event
insert into event
select $seq, $at, $actor, $kind, $version, $sheet, $source_id, $row_no, $finding_id, $detail,
    event_leaf($seq, event_head_text($at, $actor, $kind, $version), $sheet, $source_id, $row_no, $finding_id, $detail);

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
select seal_no, "at", first_seq, last_seq, size, root, previous, signature
from seal order by seal_no desc limit 1;

-- name: seal_tree
select tree from seal where seal_no = $seal_no;

-- name: append_seal
insert into seal values
    ($seal_no, $at, $first_seq, $last_seq, $size, $root, $previous, $tree, $signature);

-- name: seal_of_size
select root from seal where size = $size;

-- The log: appending and sealing.

-- name: event_head
select coalesce(max(seq), 0) from event;

-- name: append_event
insert into event
select $seq, $at, $actor, $kind, $version, $sheet, $source_id, $row_no, $finding_id, $detail,
    event_leaf($seq, event_head_text($at, $actor, $kind, $version), $sheet, $source_id, $row_no, $finding_id, $detail);

-- name: append_events
-- One event for each row of {table}, numbered on from the head in the rows' own order.
insert into event
select seq, $at, $actor, $kind, $version, sheet, source_id, row_no, finding_id, detail,
    event_leaf(seq, event_head_text($at, $actor, $kind, $version), sheet, source_id, row_no, finding_id, detail)
from (
    select $head + row_number() over (order by source_id, row_no, finding_id) as seq,
        sheet, source_id, row_no, finding_id, detail
    from {table}
);

-- name: leaves_after
select leaf from event where seq > $after order by seq;

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

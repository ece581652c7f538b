-- The log: appending and sealing.

-- name: event_head
select coalesce(max(seq), 0) from event;

-- name: append_event
insert into event
select $seq, $at, $actor, $kind, $version, $sheet, $source_id, $row_no, $finding_id, $detail,
    event_leaf($seq, event_head_text($at, $actor, $kind, $version), $sheet, $source_id, $row_no, $finding_id, $detail);

-- name: order_rows
-- The rows of {table} in the order of their events, with their place in it.
create or replace temp table ordered_row as
select row_number() over () - 1 as place, *
from (select sheet, source_id, row_no, finding_id, detail from {table} order by source_id, row_no, finding_id);

-- name: ordered_rows
select sheet, source_id, row_no, finding_id, detail from ordered_row
where place >= $first and place < $after order by place;

-- name: append_ready
insert into event
select seq, "at", actor, kind, version, sheet, source_id, row_no, finding_id, detail, leaf from ready_events;

-- name: count_seqs
-- How many events there are; and of those after $after how many, how many numbers they have, the least and the last.
select (select count(*) from event), count(*), count(distinct seq), min(seq), max(seq) from event where seq > $after;

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

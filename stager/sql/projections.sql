-- Folding events into projections. Each statement takes the events after $after into account, set-wise,
-- the latest winning; folding the whole log at once and folding it command by command agree.

-- name: folded
select coalesce((select value::bigint from standing where name = 'folded'), 0);

-- name: standing
select value from standing where name = $name;

-- name: forget_standing
delete from standing where name = $name;

-- name: set_standing
insert into standing values ($name, $value);

-- name: kinds_after
select kind, max(seq) from event where seq > $after group by kind;

-- name: empty_projection
delete from {table};

-- name: fold_marks
insert into standing
select case kind when 'migration.bound' then 'tenant' else 'synthetic' end,
    case kind when 'migration.bound' then json_extract_string(detail, '$.tenant') else 'true' end
from event
where seq > $after and kind in ('migration.bound', 'migration.marked_synthetic');

-- name: fold_new_rows
-- Each in the state of an accepted row of which nothing else is known.
insert into row_state (sheet, source_id, row_no, state)
select sheet, source_id, row_no, case when sheet = 'patients' then 'ready' else 'waiting' end
from event
where seq > $after and kind in ('row.accepted', 'row.rejected');

-- name: unfold_runs
-- The sets of rows that events after $after name as text, one row for each run.
create or replace temp table event_run as
select seq, kind, split_part(word, ':', 1)::integer as source_id,
    split_part(split_part(word, ':', 2), '-', 1)::integer as first_row,
    coalesce(nullif(split_part(word, '-', 2), ''), split_part(word, ':', 2))::integer as last_row
from (
    select seq, kind, unnest(string_split(json_extract_string(detail, '$.rows'), ' ')) as word
    from event
    where seq > $after
        and kind in ('finding.decided', 'decision.undone', 'approval.granted', 'publish.chunk_committed')
)
where word <> '';

-- name: unfold_rows
create or replace temp table event_row as
select seq, kind, source_id, unnest(range(first_row, last_row + 1))::integer as row_no from event_run;

-- name: fold_findings
insert into finding
select finding_id, sheet, source_id, row_no,
    json_extract_string(detail, '$.code'), json_extract_string(detail, '$.field'),
    json_extract_string(detail, '$.rule'),
    coalesce(json_extract_string(detail, '$.standing'), 'false') = 'true',
    coalesce(json_extract_string(detail, '$.subject'), ''),
    json_extract_string(detail, '$.related'), json_extract(detail, '$.suggestions')::varchar,
    'open', seq, null, null
from event
where seq > $after and kind = 'finding.raised'
order by finding_id;

-- name: fold_closings
update finding set closed_seq = closing.seq
from (select finding_id, max(seq) as seq from event where seq > $after and kind = 'finding.closed' group by 1) as closing
where closing.finding_id = finding.finding_id;

-- name: fold_decisions
-- A decision is about a set of findings, one finding, or a set of rows as such.
insert into decision
with made as (
    select seq, actor, kind, sheet, source_id, row_no, finding_id, detail,
        json_extract_string(detail, '$.decision') as decision,
        json_extract_string(detail, '$.findings') as findings,
        json_extract_string(detail, '$.target') as target,
        json_extract(detail, '$.correction')::bigint as correction_id
    from event where seq > $after and kind in ('finding.decided', 'row.superseded')
),
about as (
    select made.seq, unnest(range(
        split_part(word, '-', 1)::bigint,
        coalesce(nullif(split_part(word, '-', 2), ''), word)::bigint + 1)) as finding_id
    from made, unnest(string_split(findings, ' ')) as words(word)
    where findings is not null and word <> ''
    union all
    select seq, finding_id from made where finding_id is not null and findings is null
),
placed as (
    select about.seq, about.finding_id, finding.source_id, finding.row_no, finding.field, finding.code
    from about join finding on finding.finding_id = about.finding_id
    union all
    select seq, null, source_id, row_no, json_extract_string(detail, '$.field'), null
    from made where finding_id is null and findings is null and row_no is not null
    union all
    select seq, null, source_id, row_no, null, null from event_row
    where kind = 'finding.decided' and seq in (select seq from made where findings is null)
)
select made.seq, made.actor, coalesce(made.decision, 'supersede'), placed.finding_id, placed.source_id, placed.row_no,
    placed.field, placed.code,
    staged_part(made.target, 1), staged_part(made.target, 2), tenant_part(made.target),
    made.correction_id, null
from placed join made on made.seq = placed.seq
order by made.seq, placed.source_id, placed.row_no, placed.finding_id;

-- name: fold_undone
update decision set undone_seq = undoing.seq
from (
    select json_extract(detail, '$.undoes')::bigint as undoes, min(seq) as seq
    from event where seq > $after and kind = 'decision.undone' group by 1
) as undoing
where undoing.undoes = decision.seq;

-- name: fold_finding_states
-- For the findings that the events after $after touch: decided while a decision about it stands.
update finding set
    decided_seq = latest.decided_seq,
    state = case when latest.decided_seq is not null then 'decided'
                 when closed_seq is not null then 'closed' else 'open' end
from (
    select touched.finding_id, max(decision.seq) filter (undone_seq is null) as decided_seq
    from (
        select finding_id from decision
        where finding_id is not null and (seq > $after or undone_seq > $after)
        union
        select finding_id from event where seq > $after and kind = 'finding.closed'
    ) as touched
    left join decision on decision.finding_id = touched.finding_id
    group by touched.finding_id
) as latest
where latest.finding_id = finding.finding_id;

-- name: fold_links
-- With its patient found a row that waited is ready, or approved if it was: find_unfit finds out which are not.
update row_state set
    state = case when state <> 'waiting' or link.via is null then state
                 when approval_seq is null then 'ready' else 'approved' end,
    patient_source = link.patient_source, patient_row = link.patient_row, patient_person = link.patient_person,
    via = link.via, practitioner_source = link.practitioner_source,
    practitioner_row = link.practitioner_row, practitioner_person = link.practitioner_person
from (
    select source_id, row_no, staged_part(parts[1], 1) as patient_source, staged_part(parts[1], 2) as patient_row,
        tenant_part(parts[1]) as patient_person, parts[2] as via, staged_part(parts[3], 1) as practitioner_source,
        staged_part(parts[3], 2) as practitioner_row, tenant_part(parts[3]) as practitioner_person
    from (
        select source_id, row_no,
            json_extract_string(arg_max(detail, seq), ['$.patient', '$.via', '$.practitioner']) as parts
        from event where seq > $after and seq <= $upto and kind in ('link.resolved', 'link.withdrawn')
        group by source_id, row_no
    )
) as link
where link.source_id = row_state.source_id and link.row_no = row_state.row_no;

-- name: count_links_decided
select count(*) from decision where decision in ('link', 'release');

-- name: rows_linked_by_people
-- Rows whose link a decision gives, gave, or is given by a rule again since $after.
create or replace temp table relinked as
select distinct source_id, row_no from decision
where decision in ('link', 'release')
    and (seq > $after or undone_seq > $after
        or (undone_seq is null and (source_id, row_no) in (
            select (source_id, row_no) from event where seq > $after and kind like 'link.%')));

-- name: fold_decided_links
-- A person's standing link wins over the rule's; where none stands the rule's holds again.
update row_state set
    patient_source = case when person.seq is null then rule.patient_source else person.target_source end,
    patient_row = case when person.seq is null then rule.patient_row else person.target_row end,
    patient_person = case when person.seq is null then rule.patient_person else person.target_person end,
    via = case when person.seq is null then rule.via else 'decision' end,
    practitioner_source = case when doctor.seq is null then rule.practitioner_source else doctor.target_source end,
    practitioner_row = case when doctor.seq is null then rule.practitioner_row else doctor.target_row end,
    practitioner_person = case when doctor.seq is null then rule.practitioner_person else doctor.target_person end
from relinked
left join (
    select source_id, row_no, max(seq) as seq, arg_max_null(target_source, seq) as target_source,
        arg_max_null(target_row, seq) as target_row, arg_max_null(target_person, seq) as target_person
    from decision where decision = 'link' and undone_seq is null
        and coalesce(code, '') not like 'practitioner.%' group by 1, 2
) as person on person.source_id = relinked.source_id and person.row_no = relinked.row_no
left join (
    select source_id, row_no, max(seq) as seq, arg_max_null(target_source, seq) as target_source,
        arg_max_null(target_row, seq) as target_row, arg_max_null(target_person, seq) as target_person
    from decision where undone_seq is null and (decision = 'release' or (decision = 'link' and code like 'practitioner.%'))
    group by 1, 2
) as doctor on doctor.source_id = relinked.source_id and doctor.row_no = relinked.row_no
left join (
    select source_id, row_no, staged_part(patient, 1) as patient_source, staged_part(patient, 2) as patient_row,
        tenant_part(patient) as patient_person, via, staged_part(practitioner, 1) as practitioner_source,
        staged_part(practitioner, 2) as practitioner_row, tenant_part(practitioner) as practitioner_person
    from (
        select source_id, row_no, arg_max_null(json_extract_string(detail, '$.patient'), seq) as patient,
            arg_max_null(json_extract_string(detail, '$.via'), seq) as via,
            arg_max_null(json_extract_string(detail, '$.practitioner'), seq) as practitioner
        from event where kind in ('link.resolved', 'link.withdrawn')
            and (source_id, row_no) in (select (source_id, row_no) from relinked)
        group by source_id, row_no
    )
) as rule on rule.source_id = relinked.source_id and rule.row_no = relinked.row_no
where relinked.source_id = row_state.source_id and relinked.row_no = row_state.row_no;

-- name: fold_approvals
-- An approved row that was ready is approved. What else events of the same time say of it is found out after this.
update row_state set
    state = case when state = 'ready' and latest.granted > coalesce(latest.voided, 0) then 'approved' else state end,
    approval_seq = case
        when latest.granted > coalesce(latest.voided, 0) then latest.granted
        when latest.voided is not null then null else approval_seq end
from (
    select source_id, row_no, max(seq) filter (kind = 'approval.granted') as granted,
        max(seq) filter (kind = 'approval.voided') as voided
    from (
        select seq, kind, source_id, row_no from event_row where kind = 'approval.granted'
        union all
        select seq, kind, source_id, row_no from event where seq > $after and kind = 'approval.voided'
    )
    group by source_id, row_no
) as latest
where latest.source_id = row_state.source_id and latest.row_no = row_state.row_no;

-- name: fold_chunks
-- A row that is in the tenant is published. One that was in no state to be sent any more may be somebody for whom
-- others wait: see find_affected.
update row_state set
    state = case when state in ('ready', 'approved') then 'published' else state end,
    chunk_seq = coalesce(chunk_seq, sent.seq)
from (select source_id, row_no, min(seq) as seq from event_row where kind = 'publish.chunk_committed' group by 1, 2) as sent
where sent.source_id = row_state.source_id and sent.row_no = row_state.row_no;

-- name: find_affected
-- Rows whose state the events after $after may have changed in another way than was told already: accepted, linked,
-- approved and published rows are in the state that their own folds gave them.
create or replace temp table affected as
select distinct source_id, row_no from (
    select source_id, row_no from event
    where seq > $after and row_no is not null and kind not in ('row.accepted', 'link.resolved', 'link.withdrawn')
    union all
    select source_id, row_no from event_row where kind in ('finding.decided', 'decision.undone')
    union all
    select source_id, row_no from decision where seq > $after or undone_seq > $after
    union all
    select source_id, row_no from row_state where chunk_seq is not null and state <> 'published'
);

-- name: start_own_states
create or replace temp table own_state (source_id integer, row_no integer, own varchar);

-- name: find_own_states
-- What each row of {rows} is by itself, before its patient is looked at.
insert into own_state
select wanted.source_id, wanted.row_no,
    case when excluded.live then 'excluded'
         when coalesce(hold.rejecting, 0) > 0 then 'rejected'
         when coalesce(hold.holding, 0) > 0 then 'held'
         else 'clear' end
from {rows} as wanted
left join (
    select source_id, row_no, count(*) filter ({rejecting}) as rejecting, count(*) as holding
    from finding where state = 'open' group by 1, 2
) as hold on hold.source_id = wanted.source_id and hold.row_no = wanted.row_no
left join (
    select source_id, row_no, arg_max(decision in ('exclude', 'merge', 'supersede'), seq) as live
    from decision
    where undone_seq is null and decision in ('exclude', 'merge', 'supersede', 'put_back')
    group by 1, 2
) as excluded on excluded.source_id = wanted.source_id and excluded.row_no = wanted.row_no;

-- name: find_people_states
create or replace temp table person_state as
select own_state.source_id, own_state.row_no, state as before, case
        when chunk_seq is not null then 'published'
        when own <> 'clear' then own
        when approval_seq is not null then 'approved'
        else 'ready' end as state
from own_state
join row_state as same on same.source_id = own_state.source_id and same.row_no = own_state.row_no
where sheet = 'patients';

-- name: fold_people_states
update row_state set state = fresh.state from person_state as fresh
where fresh.source_id = row_state.source_id and fresh.row_no = row_state.row_no and fresh.state <> row_state.state;

-- name: find_turned
-- Patients who were fit to be published and are not, or the other way round.
create or replace temp table turned as
select source_id, row_no from person_state
where (before in ('held', 'rejected', 'excluded')) <> (state in ('held', 'rejected', 'excluded'));

-- name: start_dependents
create or replace temp table dependent (source_id integer, row_no integer);

-- name: find_dependents
-- Rows that wait, or waited, for one of these.
insert into dependent
with found as (
    select row_state.source_id, row_state.row_no from row_state semi join turned
        on turned.source_id = patient_source and turned.row_no = patient_row
    union
    select row_state.source_id, row_state.row_no from row_state semi join turned
        on turned.source_id = practitioner_source and turned.row_no = practitioner_row
)
select source_id, row_no from found anti join affected using (source_id, row_no);

-- name: find_unfit
-- Rows that are to go as they are linked now, but have no patient, or one, or a practitioner, who is not fit to.
insert into dependent
with unfit as (
    select source_id, row_no from row_state where sheet = 'patients' and state in ('held', 'rejected', 'excluded')
),
found as (
    select source_id, row_no, patient_source, patient_row, patient_person, practitioner_source, practitioner_row
    from row_state where sheet <> 'patients' and state in ('ready', 'approved')
),
not_to_go as (
    select source_id, row_no from found where patient_source is null and patient_person is null
    union
    select found.source_id, found.row_no from found semi join unfit
        on unfit.source_id = patient_source and unfit.row_no = patient_row
    union
    select found.source_id, found.row_no from found semi join unfit
        on unfit.source_id = practitioner_source and unfit.row_no = practitioner_row
)
select source_id, row_no from not_to_go
anti join affected using (source_id, row_no) anti join dependent using (source_id, row_no);

-- name: fold_other_states
-- A row waits while it has no patient, or while its patient or practitioner is not fit to be published.
update row_state set state = fresh.state
from (
    select own_state.source_id, own_state.row_no, case
        when same.chunk_seq is not null then 'published'
        when own_state.own <> 'clear' then own_state.own
        when same.patient_source is null and same.patient_person is null then 'waiting'
        when patient.row_no is not null or practitioner.row_no is not null then 'waiting'
        when same.approval_seq is not null then 'approved'
        else 'ready' end as state
    from own_state
    join row_state as same on same.source_id = own_state.source_id and same.row_no = own_state.row_no
    left join (select source_id, row_no from row_state where sheet = 'patients'
               and state in ('held', 'rejected', 'excluded')) as patient
        on patient.source_id = same.patient_source and patient.row_no = same.patient_row
    left join (select source_id, row_no from row_state where sheet = 'patients'
               and state in ('held', 'rejected', 'excluded')) as practitioner
        on practitioner.source_id = same.practitioner_source and practitioner.row_no = same.practitioner_row
    where same.sheet <> 'patients'
) as fresh
where fresh.source_id = row_state.source_id and fresh.row_no = row_state.row_no and fresh.state <> row_state.state;

-- name: count_relinked
select count(*) from relinked;

-- name: projection_lines
-- Every row of a projection as JSON, which tells NULL from 'NULL', in an order of its own, so that it can be hashed.
select line from (select to_json({table})::varchar as line from {table}) order by line;

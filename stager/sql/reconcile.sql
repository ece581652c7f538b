-- Reconciling: persons and their keys, references, findings; all in temporary tables until the
-- difference to what is known already becomes events.

-- name: start_scope
-- The rows to look at: all, or those that something has happened to since the last time.
create or replace temp table scope as
select sheet, row_state.source_id, row_state.row_no, state from row_state {restriction};

-- name: find_dirty
-- Rows that events after $after speak of, and those whose record is the same to the letter.
create or replace temp table dirty as
select source_id, row_no from event where seq > $after and row_no is not null
union
select source_id, row_no from decision where seq > $after or undone_seq > $after;

-- name: people_changed
-- Whether anything has happened since $after that may change whom a reference finds.
select exists (select 1 from event where seq > $after and kind = 'tenant.snapshotted')
    or exists (select 1 from dirty semi join row_state on row_state.source_id = dirty.source_id
               and row_state.row_no = dirty.row_no and row_state.sheet = 'patients');

-- name: last_reconciled
select coalesce(max(seq), 0) from event where kind = 'reconcile.finished';

-- name: gather_people
-- Every person that a reference may mean: the staged patients and the tenant's own.
create or replace temp table person as
select staged.source_id || ':' || staged.row_no as place, staged.source_id, staged.row_no, staged.legacy_id,
    staged.nhs_number, staged.email, staged.name_folded, staged.name_swapped, staged.date_of_birth, staged.role,
    row_state.state <> 'excluded' as live, merged.into_place
from staged_person as staged
join row_state on row_state.source_id = staged.source_id and row_state.row_no = staged.row_no
left join (
    select source_id, row_no, arg_max(coalesce(target_source || ':' || target_row, 'tenant:' || target_person), seq) as into_place
    from decision where decision = 'merge' and undone_seq is null group by 1, 2
) as merged on merged.source_id = staged.source_id and merged.row_no = staged.row_no
union all
select 'tenant:' || target_id, null, null, trim(legacy_id), digits, lower(trim(email)), null, null, null, role, true, null
from tenant_person left join known_index on known_index.nhs_index = tenant_person.nhs_index;

-- name: gather_keys
-- What finds a person. Where somebody who is not excluded has a key, those who are do not count.
create or replace temp table person_key as
with keys as (
    select 1 as rank, 'legacy_id' as via, legacy_id as key, * from person where legacy_id <> ''
    union all
    select 2, 'nhs_number', nhs_number, * from person where nhs_number <> ''
    union all
    select 3, 'email', email, * from person where email <> ''
),
judged as (
    select *, live or into_place is not null as counts,
        bool_or(live or into_place is not null) over (partition by via, key) as somebody
    from keys
)
select distinct rank, via, key, coalesce(into_place, place) as place, role
from judged where counts or not somebody;

-- name: gather_references
-- The references of the rows in scope of one sheet, as they stand.
select scope.sheet, scope.source_id, scope.row_no, cells.patient_ref, {practitioner}
from scope join {table} as cells on cells.source_id = scope.source_id and cells.row_no = scope.row_no
where scope.sheet = $sheet and scope.state not in ('rejected', 'excluded');

-- name: start_references
create or replace temp table reference (
    sheet varchar, source_id integer, row_no integer, patient_ref varchar, practitioner_ref varchar);

-- name: correct_references
update reference set {field} = corrected.value
from (
    select decision.source_id, decision.row_no, arg_max_null(correction.value, decision.seq) as value
    from decision join correction on correction.correction_id = decision.correction_id
    and correction.source_id = decision.source_id and correction.row_no = decision.row_no
    where decision.undone_seq is null and decision.field = $field group by 1, 2
) as corrected
where corrected.source_id = reference.source_id and corrected.row_no = reference.row_no;

-- name: distinct_references
select distinct patient_ref as raw from reference where patient_ref is not null
union
select distinct practitioner_ref from reference where practitioner_ref is not null;

-- name: match_references
create or replace temp table hit as
select wanted.raw, 1 as rank, person_key.place, person_key.role
from wanted join person_key on person_key.via = 'legacy_id' and person_key.key = wanted.text
union all
select wanted.raw, 2, person_key.place, person_key.role
from wanted join person_key on person_key.via = 'nhs_number' and person_key.key = wanted.digits
union all
select wanted.raw, 3, person_key.place, person_key.role
from wanted join person_key on person_key.via = 'email' and person_key.key = wanted.email;

-- name: judge_references
-- The first key that matches anyone decides; two persons by it, or another person by a later key, hold.
-- A reference that is itself a valid NHS number never means a person who has another.
create or replace temp table judged as
with first_key as (
    select raw, min(rank) as rank from hit {among} group by raw
),
found as (
    select hit.raw, first_key.rank,
        list(distinct hit.place order by hit.place) filter (hit.rank = first_key.rank) as places,
        list(distinct hit.place order by hit.place) as everyone
    from hit join first_key on first_key.raw = hit.raw {among} group by hit.raw, first_key.rank
),
person_number as (
    select coalesce(into_place, place) as place, list(distinct nhs_number) filter (nhs_number <> '') as numbers
    from person group by 1
)
select wanted.raw, wanted.text,
    case found.rank when 1 then 'legacy_id' when 2 then 'nhs_number' when 3 then 'email' end as via,
    case when found.raw is null then 'link.unresolved'
         when len(found.places) > 1 then 'link.ambiguous'
         when len(found.everyone) > 1 then 'link.conflict'
         when wanted.digits is not null and len(coalesce(numbers, [])) > 0 and not list_contains(numbers, wanted.digits)
            then 'link.conflict'
         else 'resolved' end as outcome,
    case when len(found.places) = 1 then found.places[1] end as place,
    found.everyone
from wanted
left join found on found.raw = wanted.raw
left join person_number on person_number.place = found.places[1];

-- name: keep_judged
create or replace temp table {table} as select * from judged;

-- name: find_links
-- What each row in scope is linked to by rule now; no row where the patient is not resolved.
create or replace temp table linked as
select reference.sheet, reference.source_id, reference.row_no, patient.place as patient, patient.via,
    case when practitioner.outcome = 'resolved' then practitioner.place end as practitioner
from reference
join patient_judged as patient on patient.raw = reference.patient_ref and patient.outcome = 'resolved'
left join practitioner_judged as practitioner on practitioner.raw = reference.practitioner_ref
anti join people_linked on people_linked.source_id = reference.source_id and people_linked.row_no = reference.row_no;

-- name: find_people_linked
-- Rows whose patient a person has decided; no rule touches these.
create or replace temp table people_linked as
select distinct source_id, row_no from decision
where decision = 'link' and undone_seq is null and coalesce(code, '') not like 'practitioner.%';

-- name: new_links
-- Links that are other than those known.
create or replace temp table new_link as
select linked.sheet, linked.source_id, linked.row_no, null::bigint as finding_id,
    '{' || '"patient":"' || linked.patient || '"'
        || case when linked.practitioner is null then '' else ',"practitioner":"' || linked.practitioner || '"' end
        || ',"via":"' || linked.via || '"}' as detail
from linked join row_state on row_state.source_id = linked.source_id and row_state.row_no = linked.row_no
where linked.via is distinct from row_state.via
    or linked.patient is distinct from
        coalesce(row_state.patient_source || ':' || row_state.patient_row, 'tenant:' || row_state.patient_person)
    or (linked.practitioner is distinct from
        coalesce(row_state.practitioner_source || ':' || row_state.practitioner_row, 'tenant:' || row_state.practitioner_person)
        and not exists (select 1 from decision where decision.source_id = linked.source_id
            and decision.row_no = linked.row_no and undone_seq is null
            and (decision = 'release' or (decision = 'link' and code like 'practitioner.%'))));

-- name: lost_links
-- Rules' links that hold no longer.
create or replace temp table lost_link as
select reference.sheet, reference.source_id, reference.row_no, null::bigint as finding_id, '{}' as detail
from reference
join row_state on row_state.source_id = reference.source_id and row_state.row_no = reference.row_no
anti join linked on linked.source_id = reference.source_id and linked.row_no = reference.row_no
where row_state.via is not null and row_state.via <> 'decision';

-- name: start_wanted_findings
create or replace temp table wanted_finding (
    sheet varchar, source_id integer, row_no integer, code varchar, field varchar, rule varchar,
    standing boolean, subject varchar, related varchar, suggestions varchar);

-- name: want_patient_findings
select reference.sheet, reference.source_id, reference.row_no, judged.outcome, 'patient_ref', judged.via, false,
    subjects.subject || ' ' || coalesce(array_to_string(judged.everyone, ' '), ''),
    array_to_string(judged.everyone, ' '), null
from reference
join patient_judged as judged on judged.raw = reference.patient_ref and judged.outcome <> 'resolved'
join subjects on subjects.raw = judged.raw
anti join people_linked on people_linked.source_id = reference.source_id and people_linked.row_no = reference.row_no;

-- name: want_practitioner_findings
select reference.sheet, reference.source_id, reference.row_no, 'practitioner.unresolved', 'practitioner_ref',
    judged.outcome, false, subjects.subject || ' ' || coalesce(array_to_string(judged.everyone, ' '), ''),
    array_to_string(judged.everyone, ' '), null
from reference
join practitioner_judged as judged on judged.raw = reference.practitioner_ref and judged.outcome <> 'resolved'
join subjects on subjects.raw = judged.raw
where trim(judged.text) <> '';

-- name: want_before_birth
-- A clinical date before the birth of the patient that the row is linked to.
select dated.sheet, dated.source_id, dated.row_no, 'value.suspect', dated.field, 'before_birth', true,
    coalesce(linked.patient, decided.place), null, null
from dated
left join linked on linked.source_id = dated.source_id and linked.row_no = dated.row_no
left join (
    select source_id, row_no, coalesce(patient_source || ':' || patient_row, 'tenant:' || patient_person) as place
    from row_state where via = 'decision'
) as decided on decided.source_id = dated.source_id and decided.row_no = dated.row_no
join person on person.place = coalesce(decided.place, linked.patient)
where dated.day < person.date_of_birth;

-- name: start_dated
create or replace temp table dated (sheet varchar, source_id integer, row_no integer, field varchar, day date);

-- name: dated_rows
select $sheet as sheet, source_id, row_no, $field as field, day from dated_slice;

-- name: rows_in_scope
create or replace temp table scope_of_sheet as
select source_id, row_no from scope where sheet = $sheet and state not in ('rejected', 'excluded');

-- name: want_repeats
-- The same record again in the same sheet: every one after the first.
select $sheet, source_id, row_no, 'row.repeated', null, 'fingerprint', true, first_place, first_place, null
from (
    select cells.source_id, cells.row_no,
        first_value(cells.source_id || ':' || cells.row_no)
            over (partition by fingerprint order by cells.source_id, cells.row_no) as first_place,
        row_number() over (partition by fingerprint order by cells.source_id, cells.row_no) as nth
    from {table} as cells
    join row_state on row_state.source_id = cells.source_id and row_state.row_no = cells.row_no
        and row_state.state not in ('rejected', 'excluded')
    where $whole or fingerprint in (
        select fingerprint from {table} as touched semi join dirty
            on dirty.source_id = touched.source_id and dirty.row_no = touched.row_no)
)
where nth > 1;

-- name: widen_dirty
-- Rows that are the same to the letter as a dirty one are looked at with it.
select cells.source_id, cells.row_no from {table} as cells
where fingerprint in (
    select fingerprint from {table} as touched semi join dirty
        on dirty.source_id = touched.source_id and dirty.row_no = touched.row_no);

-- name: want_shared_ids
select 'patients', source_id, row_no, 'patient.id_shared', 'legacy_id', 'legacy_id', false, places, places, null
from (
    select source_id, row_no, legacy_id,
        array_to_string(list(place) over (partition by legacy_id order by place rows between unbounded preceding and unbounded following), ' ') as places,
        count(*) over (partition by legacy_id) as people
    from person where live and into_place is null and legacy_id <> ''
)
where people > 1 and source_id is not null;

-- name: want_shared_numbers
select 'patients', source_id, row_no, 'patient.duplicate', 'nhs_number', 'nhs_number', false, places, places, null
from (
    select source_id, row_no,
        array_to_string(list(place) over (partition by nhs_number order by place rows between unbounded preceding and unbounded following), ' ') as places,
        count(*) over (partition by nhs_number) as people
    from person where live and into_place is null and nhs_number <> ''
)
where people > 1 and source_id is not null;

-- name: want_lookalikes
-- Same name, either way round, and same birth date; two different valid NHS numbers say they are two people,
-- and rows that share one are found by it already.
select 'patients', source_id, row_no, 'patient.duplicate', null, 'name_and_birth', true, places, places, null
from (
    select one.source_id, one.row_no,
        array_to_string(list_sort(list_append(list(distinct other.place), any_value(one.place))), ' ') as places
    from person as one
    join person as other
        on one.date_of_birth = other.date_of_birth and one.place <> other.place
        and (one.name_folded = other.name_folded or one.name_folded = other.name_swapped)
    where one.live and other.live and one.into_place is null and other.into_place is null
        and one.source_id is not null and other.source_id is not null
        and (coalesce(one.nhs_number, '') = '' or coalesce(other.nhs_number, '') = '')
    group by one.source_id, one.row_no
);

-- name: want_shared_emails
-- A username is one person's: the tenant's own first, then the earlier row.
select 'patients', source_id, row_no, 'patient.email_shared', 'email', 'email', true, first_place, first_place, null
from (
    select source_id, row_no,
        first_value(place) over (partition by email order by source_id nulls first, row_no) as first_place,
        row_number() over (partition by email order by source_id nulls first, row_no) as nth
    from person where live and into_place is null and email <> ''
)
where nth > 1 and source_id is not null;

-- name: add_suggestions
update wanted_finding set suggestions = offered.suggestions
from reference join offered on offered.raw = reference.patient_ref
where wanted_finding.code = 'link.unresolved' and reference.source_id = wanted_finding.source_id
    and reference.row_no = wanted_finding.row_no;

-- name: unresolved_references
select raw, text from patient_judged where outcome = 'link.unresolved' and text <> '';

-- name: key_texts
select via, key, place from person_key;

-- name: new_findings
-- Findings not known yet; one that a person has decided, or that is open, is not raised again.
create or replace temp table new_finding as
select wanted.sheet, wanted.source_id, wanted.row_no,
    $last + row_number() over (order by wanted.source_id, wanted.row_no, wanted.code, wanted.field, wanted.rule) as finding_id,
    finding_detail(wanted.code, wanted.field, wanted.rule, wanted.standing, wanted.subject, wanted.related,
        wanted.suggestions) as detail
from wanted_finding as wanted
anti join (select * from finding where state in ('open', 'decided')) as known
    on known.source_id = wanted.source_id and known.row_no = wanted.row_no and known.code = wanted.code
    and coalesce(known.rule, '') = coalesce(wanted.rule, '')
    and coalesce(known.field, '') = coalesce(wanted.field, '') and known.subject = wanted.subject;

-- name: gone_findings
-- Open findings of reconciling, about rows in scope, that nothing calls for any more.
create or replace temp table gone_finding as
select finding.sheet, finding.source_id, finding.row_no, finding.finding_id, '{' || '"why":"rule"}' as detail
from finding
semi join scope on scope.source_id = finding.source_id and scope.row_no = finding.row_no
anti join wanted_finding as wanted
    on wanted.source_id = finding.source_id and wanted.row_no = finding.row_no and wanted.code = finding.code
    and coalesce(wanted.rule, '') = coalesce(finding.rule, '')
    and coalesce(wanted.field, '') = coalesce(finding.field, '') and wanted.subject = finding.subject
where finding.state = 'open'
    and (finding.code in ('row.repeated', 'patient.id_shared', 'patient.duplicate', 'patient.email_shared',
            'practitioner.unresolved', 'link.ambiguous', 'link.conflict', 'link.unresolved')
        or finding.rule = 'before_birth');

-- name: last_finding
select coalesce(max(finding_id), 0) from finding;

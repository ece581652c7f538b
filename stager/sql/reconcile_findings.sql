-- Reconciling: the findings that the rows in scope call for, against those that are known.

-- name: start_wanted_findings
create or replace temp table wanted_finding (
    sheet varchar, source_id integer, row_no integer, code varchar, field varchar, rule varchar,
    standing boolean, subject varchar, related varchar, suggestions varchar);

-- name: want_link_findings
-- A person's own link may have come to contradict an NHS number since, or to lead to a record that another one
-- has replaced. The decision stands; the row is held until a person looks again.
with doubted as (
    select matched.sheet, matched.source_id, matched.row_no, judged.subject, people_linked.place,
        person.into_place, gone.into_place as replaced_by,
        coalesce(len(numbers) > 1 or numbers[1] <> digits, false) as other_numbers
    from matched
    join people_linked on people_linked.source_id = matched.source_id and people_linked.row_no = matched.row_no
    left join person on person.place = people_linked.place
    left join successor as gone on gone.place = people_linked.place
    left join patient_judged as judged on judged.no = matched.patient_no
    left join person_number on person_number.place = coalesce(person.into_place, people_linked.place)
)
select matched.sheet, matched.source_id, matched.row_no, judged.outcome, 'patient_ref', judged.via, false,
    judged.subject || ' ' || coalesce(array_to_string(judged.everyone, ' '), ''),
    array_to_string(judged.everyone, ' '), offered.suggestions
from matched
join patient_judged as judged on judged.no = matched.patient_no and judged.outcome <> 'resolved'
left join offered on offered.raw = judged.raw
anti join people_linked on people_linked.source_id = matched.source_id and people_linked.row_no = matched.row_no
union all
select sheet, source_id, row_no, case when other_numbers then 'link.conflict' else 'link.unresolved' end,
    'patient_ref', case when other_numbers then 'nhs_number' else 'replaced' end, false,
    coalesce(subject, '') || ' ' || concat_ws(' ', place, into_place, replaced_by),
    concat_ws(' ', place, into_place, replaced_by),
    case when not other_numbers then
        json_array(json_object('key', 'decision', 'patient', coalesce(replaced_by, into_place), 'why', 'replaced'))::varchar end
from doubted
where other_numbers or into_place is not null or replaced_by is not null
union all
select matched.sheet, matched.source_id, matched.row_no, 'practitioner.unresolved', 'practitioner_ref',
    judged.outcome, false, judged.subject || ' ' || coalesce(array_to_string(judged.everyone, ' '), ''),
    array_to_string(judged.everyone, ' '), null
from matched
join practitioner_judged as judged on judged.no = matched.practitioner_no and judged.outcome <> 'resolved'
where trim(judged.text) <> '';

-- name: maybe_before_birth
-- Rows whose date may be before the birth of the patient that they are linked to: a text that sorts before the
-- birth, or does not begin with a digit. What is left out is a date of the sheets' own form, and not before it.
create or replace temp table maybe_early as
with own as (
    select people_linked.source_id, people_linked.row_no, people_linked.place, person.date_of_birth::varchar as birth
    from people_linked left join person on person.place = people_linked.place
),
born as (
    select matched.sheet, matched.source_id, matched.row_no, day, coalesce(own.place, patient.place) as place,
        case when own.place is null then patient.birth else own.birth end as birth
    from matched
    left join own on own.source_id = matched.source_id and own.row_no = matched.row_no
    left join patient_judged as patient on patient.no = matched.patient_no and patient.outcome = 'resolved'
)
select sheet, source_id, row_no, place, birth from born where birth is not null and (day < birth or day >= ':');

-- name: find_before_birth
-- Clinical dates before the birth of the patient that the row is linked to.
create or replace temp table before_birth as
select maybe_early.sheet, dated.source_id, dated.row_no, dated.field, dated.day, maybe_early.place
from dated
join maybe_early on maybe_early.source_id = dated.source_id and maybe_early.row_no = dated.row_no
where dated.day < maybe_early.birth::date;

-- name: days_before_birth
select distinct day::varchar as day from before_birth;

-- name: want_before_birth
select sheet, source_id, row_no, 'value.suspect', field, 'before_birth', true, digests.subject || ' ' || place, place, null
from before_birth join digests on digests.day = before_birth.day::varchar;

-- name: find_twice
-- Fingerprints that more than one record of a sheet has; by their hashes first, which is cheaper.
create or replace temp table twice as
with alike as (select hash(fingerprint) as print from {table} group by print having count(*) > 1)
select fingerprint from {table} as cells semi join alike on alike.print = hash(cells.fingerprint)
group by fingerprint having count(*) > 1;

-- name: find_twice_of_dirty
create or replace temp table twice as
select fingerprint from {table}
where fingerprint in (
    select fingerprint from {table} as touched semi join dirty
        on dirty.source_id = touched.source_id and dirty.row_no = touched.row_no)
group by fingerprint having count(*) > 1;

-- name: want_repeats
-- The same record again in the same sheet: every one after the first.
select $sheet, source_id, row_no, 'row.repeated', null, 'fingerprint', true, first_place, first_place, null
from (
    select cells.source_id, cells.row_no,
        first_value(cells.source_id || ':' || cells.row_no)
            over (partition by cells.fingerprint order by cells.source_id, cells.row_no) as first_place,
        row_number() over (partition by cells.fingerprint order by cells.source_id, cells.row_no) as nth
    from {table} as cells
    join twice on twice.fingerprint = cells.fingerprint
    join row_state on row_state.source_id = cells.source_id and row_state.row_no = cells.row_no
        and row_state.state not in ('rejected', 'excluded')
)
where nth > 1;

-- name: want_shared_keys
-- Patients of whom another one has the same key, each with all who have it.
with live_person as (select *, {key} as shared from person where live and into_place is null and {key} <> ''),
those as (
    select shared, array_to_string(list_sort(list(place)), ' ') as places
    from live_person group by shared having count(*) > 1
)
select 'patients', source_id, row_no, $code, $field, $field, false, places, places, null
from live_person join those on those.shared = live_person.shared where source_id is not null;

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

-- name: unresolved_references
-- Those that no person has linked yet.
select distinct judged.raw, judged.text
from matched
join patient_judged as judged on judged.no = matched.patient_no and outcome = 'link.unresolved' and text <> ''
anti join people_linked on people_linked.source_id = matched.source_id and people_linked.row_no = matched.row_no;

-- name: key_texts
select via, key, place from person_key;

-- name: new_findings
-- Findings not known yet; one that a person has decided, or that is open, is not raised again. A correction
-- says nothing about what is found when it has been made: a finding that it was to settle comes back.
create or replace temp table new_finding as
select wanted.sheet, wanted.source_id, wanted.row_no,
    $last + row_number() over (order by wanted.source_id, wanted.row_no, wanted.code, wanted.field, wanted.rule) as finding_id,
    finding_detail(wanted.code, wanted.field, wanted.rule, wanted.standing, wanted.subject, wanted.related,
        wanted.suggestions) as detail
from wanted_finding as wanted
anti join (
    select finding.* from finding
    left join decision on decision.seq = finding.decided_seq and decision.finding_id = finding.finding_id
    where finding.state = 'open' or (finding.state = 'decided' and decision.decision not in ('correct', 'blank'))
) as known
    on known.source_id = wanted.source_id and known.row_no = wanted.row_no and known.code = wanted.code
    and coalesce(known.rule, '') = coalesce(wanted.rule, '')
    and coalesce(known.field, '') = coalesce(wanted.field, '') and known.subject = wanted.subject;

-- name: gone_findings
-- Open findings of reconciling, about rows in scope, that nothing calls for any more; and where a decision
-- was taken back after the same finding had been raised again, the second one.
create or replace temp table gone_finding as
select finding.sheet, finding.source_id, finding.row_no, finding.finding_id, '{' || '"why":"rule"}' as detail
from finding
semi join scope on scope.source_id = finding.source_id and scope.row_no = finding.row_no
left join wanted_finding as wanted
    on wanted.source_id = finding.source_id and wanted.row_no = finding.row_no and wanted.code = finding.code
    and coalesce(wanted.rule, '') = coalesce(finding.rule, '')
    and coalesce(wanted.field, '') = coalesce(finding.field, '') and wanted.subject = finding.subject
where finding.state = 'open'
    and (finding.code in ('patient.id_shared', 'patient.duplicate', 'patient.email_shared',
            'practitioner.unresolved', 'link.ambiguous', 'link.conflict', 'link.unresolved')
        or (finding.code = 'row.repeated' and finding.rule = 'fingerprint') or finding.rule = 'before_birth')
    and (wanted.row_no is null or exists (
        select 1 from finding as first
        where first.state = 'open' and first.finding_id < finding.finding_id and first.source_id = finding.source_id
            and first.row_no = finding.row_no and first.code = finding.code
            and coalesce(first.rule, '') = coalesce(finding.rule, '')
            and coalesce(first.field, '') = coalesce(finding.field, '') and first.subject = finding.subject));

-- name: last_finding
-- Asked of the log: what one command raises for several files is not folded before its end.
select coalesce(max(finding_id), 0) from event where kind = 'finding.raised';

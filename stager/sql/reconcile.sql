-- Reconciling: persons and their keys, references, links; all in temporary tables until the
-- difference to what is known already becomes events.

-- name: find_successors
-- Rows that a corrected record replaced, with the record that did at last.
create or replace temp table successor as
with recursive step as (
    select source_id || ':' || row_no as place, json_extract_string(detail, '$.by') as into_place
    from event where kind = 'row.superseded'
),
chain as (
    select place, into_place from step
    union all
    select chain.place, step.into_place from chain join step on step.place = chain.into_place
)
select place, into_place from chain anti join step on step.place = chain.into_place;

-- name: tenant_people
select target_id, legacy_id, nhs_index, email, role from tenant_person;

-- name: gather_people
-- Every person that a reference may mean: the staged patients and the tenant's own. `number` is what tells
-- two people apart: the ten digits, or the tenant's index where nobody else's digits give it.
create or replace temp table person as
select staged.source_id || ':' || staged.row_no as place, staged.source_id, staged.row_no, staged.legacy_id,
    staged.nhs_number, staged.nhs_number as number, staged.email, staged.name_folded, staged.name_swapped,
    staged.date_of_birth, staged.role, row_state.state <> 'excluded' as live,
    coalesce(successor.into_place, merged.into_place) as into_place
from staged_person as staged
join row_state on row_state.source_id = staged.source_id and row_state.row_no = staged.row_no
    and row_state.sheet = 'patients'
left join (
    select source_id, row_no, arg_max(coalesce(target_source || ':' || target_row, 'tenant:' || target_person), seq) as into_place
    from decision where decision = 'merge' and undone_seq is null group by 1, 2
) as merged on merged.source_id = staged.source_id and merged.row_no = staged.row_no
left join successor on successor.place = merged.into_place
union all
select 'tenant:' || target_id, null, null, legacy_id, nhs_number, number, email, null, null, null, role, true, null
from tenants_person;

-- name: gather_numbers
-- The valid NHS numbers of each person: their own, those of the rows merged into them, and those that the
-- references say which a person linked to them.
create or replace temp table person_number as
select place, list(distinct number order by number) as numbers
from (
    select coalesce(into_place, place) as place, number from person where number is not null
    union all
    select coalesce(person.into_place, decided.place), wanted.digits
    from decided_reference as decided
    join wanted on wanted.raw = decided.patient_ref and wanted.digits is not null
    left join person on person.place = decided.place
)
group by place;

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
somebody as (select via, key from keys where live or into_place is not null)
select rank, via, key, coalesce(into_place, place) as place, role from keys where live or into_place is not null
union
select rank, via, key, place, role from keys
anti join somebody on somebody.via = keys.via and somebody.key = keys.key
where not live and into_place is null;

-- name: gather_references
-- The references of the rows in scope as they stand, and how their date begins: for nearly all of them that
-- tells that it is not before a birth.
create or replace temp table reference as
with away as (select source_id, row_no from row_state where state in ('rejected', 'excluded')),
cells as (
    select 'background' as sheet, source_id, row_no, patient_ref, null as practitioner_ref, left(onset_date, 10) as day
    from row_background
    union all
    select 'notes', source_id, row_no, patient_ref, practitioner_ref, left(consulted_at, 10) from row_notes
    union all
    select 'medications', source_id, row_no, patient_ref, practitioner_ref, left(prescribed_on, 10) from row_medications
)
select cells.* from cells {restriction}
anti join away on away.source_id = cells.source_id and away.row_no = cells.row_no;

-- name: overlaid_columns
-- The columns of $keys for which somebody corrected a cell, or a mapping says what a blank stands for.
select field from decision where correction_id is not null and undone_seq is null and list_contains($keys, field)
union
select field from (select unnest(json_keys(rules, '$.constants')) as field from source) where list_contains($keys, field);

-- name: correct_references
update {table} as reference set {field} = corrected.value
from (
    select decision.source_id, decision.row_no, arg_max_null(correction.value, decision.seq) as value
    from decision join correction on correction.correction_id = decision.correction_id
    and correction.source_id = decision.source_id and correction.row_no = decision.row_no
    where decision.undone_seq is null and decision.field = $field group by 1, 2
) as corrected
where corrected.source_id = reference.source_id and corrected.row_no = reference.row_no;

-- name: constants_of
-- What the mappings say for the blanks of a column, by source.
select source_id, json_extract_string(rules, $path) as value from source
where json_extract_string(rules, $path) is not null;

-- name: fill_references
-- A blank is what the mapping's constant says, as the rules of values have it.
update {table} as reference set {field} = constant.value
from constant
where constant.source_id = reference.source_id
    and not regexp_matches(coalesce(reference.{field}, ''), '[^\t-\r\x{85}\p{Z}]');

-- name: unsure_dates
-- Sources and rows of which the cell itself does not tell the date: another format, a constant, a correction.
select source_id, null as row_no from source
where coalesce(json_extract_string(rules, '$.date_format'), json_extract_string(rules, '$.datetime_format'),
    json_extract_string(rules, '$.constants.onset_date'), json_extract_string(rules, '$.constants.consulted_at'),
    json_extract_string(rules, '$.constants.prescribed_on')) is not null
union
select source_id, row_no from decision
where correction_id is not null and undone_seq is null and field in ('onset_date', 'consulted_at', 'prescribed_on');

-- name: forget_unsure_dates
-- An empty text comes before every date, so that the date is read by its rules.
update reference set day = '' from unsure
where unsure.source_id = reference.source_id and coalesce(unsure.row_no, reference.row_no) = reference.row_no;

-- name: find_people_linked
-- Rows whose patient a person has decided, and who that is; no rule links these.
create or replace temp table people_linked as
select source_id, row_no, arg_max(coalesce(target_source || ':' || target_row, 'tenant:' || target_person), seq) as place
from decision
where decision = 'link' and undone_seq is null and coalesce(code, '') not like 'practitioner.%'
group by source_id, row_no;

-- name: find_practitioners_decided
-- Rows whose practitioner a person has decided, or decided to do without.
create or replace temp table practitioner_decided as
select distinct source_id, row_no from decision
where undone_seq is null and (decision = 'release' or (decision = 'link' and code like 'practitioner.%'));

-- name: gather_decided_references
-- The references of all rows that people have linked, in scope or not: they tell whom the person is taken for.
create or replace temp table decided_reference as
with cells as (
    select source_id, row_no, patient_ref from row_background
    union all
    select source_id, row_no, patient_ref from row_notes
    union all
    select source_id, row_no, patient_ref from row_medications
)
select people_linked.source_id, people_linked.row_no, cells.patient_ref, people_linked.place
from people_linked
join cells on cells.source_id = people_linked.source_id and cells.row_no = people_linked.row_no
join row_state on row_state.source_id = people_linked.source_id and row_state.row_no = people_linked.row_no
    and row_state.state <> 'excluded';

-- name: distinct_references
select distinct patient_ref as raw from reference where patient_ref is not null
union
select distinct practitioner_ref from reference where practitioner_ref is not null
union
select distinct patient_ref from decided_reference where patient_ref is not null;

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
-- A reference that is itself a valid NHS number never means a person who has another, and no reference means
-- a person of two. With it the parts of the person's place, its text in JSON, and the birth.
create or replace temp table {table} as
with first_key as (
    select raw, min(rank) as rank from hit {among} group by raw
),
found as (
    select hit.raw, first_key.rank,
        list(distinct hit.place order by hit.place) filter (hit.rank = first_key.rank) as places,
        list(distinct hit.place order by hit.place) as everyone
    from hit join first_key on first_key.raw = hit.raw {among} group by hit.raw, first_key.rank
),
judged as (
    select wanted.no, wanted.raw, wanted.text, wanted.digits, wanted.subject,
        case found.rank when 1 then 'legacy_id' when 2 then 'nhs_number' when 3 then 'email' end as via,
        case when found.raw is null then 'link.unresolved'
             when len(found.places) > 1 then 'link.ambiguous'
             when len(found.everyone) > 1 then 'link.conflict'
             when len(numbers) > 1 or numbers[1] <> wanted.digits then 'link.conflict'
             else 'resolved' end as outcome,
        case when len(found.places) = 1 then found.places[1] end as place,
        found.everyone
    from wanted
    left join found on found.raw = wanted.raw
    left join person_number on person_number.place = found.places[1]
)
select judged.*, staged_part(judged.place, 1) as place_source, staged_part(judged.place, 2) as place_row,
    tenant_part(judged.place) as place_person, to_json(judged.place)::varchar as quoted,
    person.date_of_birth::varchar as birth
from judged left join person on person.place = judged.place;

-- name: number_references
-- From here on a reference is its number: a million rows name some thousands of people.
create or replace temp table matched as
select reference.sheet, reference.source_id, reference.row_no, reference.day,
    patient.no as patient_no, practitioner.no as practitioner_no
from reference
left join patient_judged as patient on patient.raw = reference.patient_ref
left join patient_judged as practitioner on practitioner.raw = reference.practitioner_ref;

-- name: forget_references
drop table reference;

-- name: known_links
-- The links that rows have, by a rule or by a person.
create or replace temp table known_link as
select row_state.source_id, row_state.row_no, via, patient_source, patient_row, patient_person,
    practitioner_source, practitioner_row, practitioner_person
from row_state {restriction}
where via is not null or practitioner_source is not null or practitioner_person is not null;

-- name: find_links
-- How each row in scope is linked by rule now, where that is other than what is known: to a patient, or of a
-- row whose patient a person has decided to a practitioner alone. `linked` is false where no rule links it.
create or replace temp table changed_link as
select matched.sheet, matched.source_id, matched.row_no, practitioner.no as practitioner_no,
    case when own.place is null then patient.no end as patient_no,
    case when own.place is null then patient.no is not null else practitioner.no is not null end as linked,
    own.place is null and known.via is not null as had_patient,
    doctor.source_id is null and (known.practitioner_row is not null or known.practitioner_person is not null)
        as had_practitioner
from matched
left join people_linked as own on own.source_id = matched.source_id and own.row_no = matched.row_no
left join practitioner_decided as doctor on doctor.source_id = matched.source_id and doctor.row_no = matched.row_no
left join patient_judged as patient on patient.no = matched.patient_no and patient.outcome = 'resolved'
left join practitioner_judged as practitioner
    on practitioner.no = matched.practitioner_no and practitioner.outcome = 'resolved'
left join known_link as known on known.source_id = matched.source_id and known.row_no = matched.row_no
where (own.place is null and (known.via is distinct from patient.via
        or known.patient_source is distinct from patient.place_source
        or known.patient_row is distinct from patient.place_row
        or known.patient_person is distinct from patient.place_person))
    or (doctor.source_id is null and (known.practitioner_source is distinct from practitioner.place_source
        or known.practitioner_row is distinct from practitioner.place_row
        or known.practitioner_person is distinct from practitioner.place_person))
    or (had_practitioner and not linked);

-- name: new_links
-- Written out when it is read, a stretch at a time: of a million links that is a third less than to keep them.
create or replace temp view new_link as
select changed.sheet, changed.source_id, changed.row_no, null::bigint as finding_id,
    concat('{', patient.said, case when patient.no is not null and practitioner.no is not null then ',' end,
        practitioner.said, patient.rule_said, '}') as detail
from changed_link as changed
left join (select no, '"patient":' || quoted as said, ',"via":"' || via || '"' as rule_said from patient_judged)
    as patient on patient.no = changed.patient_no
left join (select no, '"practitioner":' || quoted as said from practitioner_judged)
    as practitioner on practitioner.no = changed.practitioner_no
where linked;

-- name: lost_links
-- Rules' links that hold no longer.
create or replace temp table lost_link as
select sheet, source_id, row_no, null::bigint as finding_id, '{}' as detail
from changed_link where not linked and (had_patient or had_practitioner);

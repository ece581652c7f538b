-- Reconciling: persons and their keys, references, findings; all in temporary tables until the
-- difference to what is known already becomes events.

-- name: start_scope
-- The rows to look at: all, or those that something has happened to since the last time. What is known
-- of an excluded row is left as it is, so that it is the same when the row is put back.
create or replace temp view scope as
select sheet, row_state.source_id, row_state.row_no, state from row_state {restriction} where state <> 'excluded';

-- name: find_dirty
-- Rows of which something was said after $after that a link or a finding of reconciling may hang on. A
-- judgement that stands changes neither, and a value of a column that is not among $keys does only where it
-- took the row out of the rejected ones, or back.
create or replace temp table dirty as
select source_id, row_no from event
where seq > $after and kind in ('row.accepted', 'row.rejected', 'row.superseded')
union
select source_id, row_no from decision
where (seq > $after or undone_seq > $after)
    and not (decision in ('accept', 'keep_both') and undone_seq is null)
    and (decision not in ('accept', 'correct', 'blank') or field is null or list_contains($keys, field)
        or code in ('value.missing', 'value.invalid'));

-- name: snapshotted
-- Whether the tenant's own people were read anew after $after.
select exists (select 1 from event where seq > $after and kind = 'tenant.snapshotted');

-- name: sheets_of_dirty
select distinct sheet from source semi join dirty on dirty.source_id = source.source_id;

-- name: find_touched
-- Persons whose keys, numbers or standing may have changed: the dirty patients, those to whom people linked a
-- dirty row by what may be an NHS number, and all that were ever merged with these or took their place.
create or replace temp table touched as
with recursive reference as materialized (
    select source_id, row_no, patient_ref as text from row_background
    semi join dirty on dirty.source_id = row_background.source_id and dirty.row_no = row_background.row_no
    union all
    select source_id, row_no, patient_ref from row_notes
    semi join dirty on dirty.source_id = row_notes.source_id and dirty.row_no = row_notes.row_no
    union all
    select source_id, row_no, patient_ref from row_medications
    semi join dirty on dirty.source_id = row_medications.source_id and dirty.row_no = row_medications.row_no
    union all
    select source_id, row_no, value from correction
    semi join dirty on dirty.source_id = correction.source_id and dirty.row_no = correction.row_no
    where field = 'patient_ref'
),
numbered as (
    select source_id, row_no from reference where length(regexp_replace(text, '[^0-9]', '', 'g')) >= 10
),
tie as (
    select source_id || ':' || row_no as one, coalesce(target_source || ':' || target_row, 'tenant:' || target_person) as other
    from decision where decision = 'merge'
    union all
    select source_id || ':' || row_no, json_extract_string(detail, '$.by') from event where kind = 'row.superseded'
),
reached as (
    select source_id || ':' || row_no as place from dirty
    where source_id in (select source_id from source where sheet = 'patients')
    union
    select coalesce(target_source || ':' || target_row, 'tenant:' || target_person) from decision
    semi join numbered on numbered.source_id = decision.source_id and numbered.row_no = decision.row_no
    where decision = 'link' and coalesce(code, '') not like 'practitioner.%'
    union
    select case when tie.one = reached.place then tie.other else tie.one end
    from reached join tie on tie.one = reached.place or tie.other = reached.place
)
select place, staged_part(place, 1) as source_id, staged_part(place, 2) as row_no, tenant_part(place) as person
from reached;

-- name: rows_of_touched
-- Rows that are linked to a touched person, those with an open question that names one, and the patients with
-- an open question about each other.
select source_id, row_no from row_state
semi join touched on touched.source_id = patient_source and touched.row_no = patient_row
union
select source_id, row_no from row_state
semi join touched on touched.source_id = practitioner_source and touched.row_no = practitioner_row
union
select source_id, row_no from row_state semi join touched on touched.person = patient_person
union
select source_id, row_no from row_state semi join touched on touched.person = practitioner_person
union
select source_id, row_no from (
    select source_id, row_no, unnest(string_split(related, ' ')) as place from finding where state = 'open'
) as named semi join touched on touched.place = named.place
union
select source_id, row_no from finding where state = 'open' and code like 'patient.%';

-- name: keys_of_touched
-- What touched persons are or ever were found by, as it came or was typed in.
with cells as (
    select legacy_id, nhs_number, email from row_patients semi join touched
    on touched.source_id = row_patients.source_id and touched.row_no = row_patients.row_no
)
select distinct text from (
    select unnest([legacy_id, nhs_number, email]) as text from cells
    union all
    select unnest([legacy_id, email]) from tenant_person semi join touched on touched.person = tenant_person.target_id
    union all
    select value from correction semi join touched
    on touched.source_id = correction.source_id and touched.row_no = correction.row_no
    where field in ('legacy_id', 'nhs_number', 'email')
) where text is not null;

-- name: every_reference
select distinct patient_ref as raw from row_background where patient_ref is not null
union
select distinct patient_ref from row_notes where patient_ref is not null
union
select distinct practitioner_ref from row_notes where practitioner_ref is not null
union
select distinct patient_ref from row_medications where patient_ref is not null
union
select distinct practitioner_ref from row_medications where practitioner_ref is not null
union
select distinct value from correction where field in ('patient_ref', 'practitioner_ref') and value is not null;

-- name: rows_that_mean
-- Rows whose references are among those in `meant`, as they came or as somebody ever corrected them.
select source_id, row_no from row_background where patient_ref in (select raw from meant)
union all
select source_id, row_no from row_notes
where patient_ref in (select raw from meant) or practitioner_ref in (select raw from meant)
union all
select source_id, row_no from row_medications
where patient_ref in (select raw from meant) or practitioner_ref in (select raw from meant)
union all
select source_id, row_no from correction
where field in ('patient_ref', 'practitioner_ref') and value in (select raw from meant);

-- name: has_constants
-- Whether a mapping says what a blank of a column of $keys stands for.
select exists (
    select 1 from (select unnest(json_keys(rules, '$.constants')) as field from source) where list_contains($keys, field));

-- name: last_reconciled
select coalesce(max(seq), 0) from event where kind = 'reconcile.finished';

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
create or replace temp table new_link as
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

-- name: widen_dirty
-- Rows that are the same to the letter as a dirty one are looked at with it.
select cells.source_id, cells.row_no from {table} as cells
where fingerprint in (
    select fingerprint from {table} as touched semi join dirty
        on dirty.source_id = touched.source_id and dirty.row_no = touched.row_no);

-- name: want_shared_ids
with live_person as (select * from person where live and into_place is null and legacy_id <> ''),
shared as (select legacy_id from live_person group by legacy_id having count(*) > 1),
those as (
    select legacy_id, array_to_string(list_sort(list(place)), ' ') as places
    from live_person semi join shared on shared.legacy_id = live_person.legacy_id group by legacy_id
)
select 'patients', source_id, row_no, 'patient.id_shared', 'legacy_id', 'legacy_id', false, places, places, null
from live_person join those on those.legacy_id = live_person.legacy_id where source_id is not null;

-- name: want_shared_numbers
with live_person as (select * from person where live and into_place is null and nhs_number <> ''),
shared as (select nhs_number from live_person group by nhs_number having count(*) > 1),
those as (
    select nhs_number, array_to_string(list_sort(list(place)), ' ') as places
    from live_person semi join shared on shared.nhs_number = live_person.nhs_number group by nhs_number
)
select 'patients', source_id, row_no, 'patient.duplicate', 'nhs_number', 'nhs_number', false, places, places, null
from live_person join those on those.nhs_number = live_person.nhs_number where source_id is not null;

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

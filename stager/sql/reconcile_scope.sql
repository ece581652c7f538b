-- Reconciling: which rows to look at.

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

-- name: stand_ties
-- Places that were ever made one person: by a merge, or by a corrected record that took another's place.
create or replace temp view tie as
select source_id || ':' || row_no as one, coalesce(target_source || ':' || target_row, 'tenant:' || target_person) as other
from decision where decision = 'merge'
union all
select source_id || ':' || row_no, json_extract_string(detail, '$.by') from event where kind = 'row.superseded';

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

-- name: find_near
-- The staged patients that the rows in scope may mean or are linked to by people, and all that were ever merged
-- with these or took their place. Cells stand as they came: trimmed, in lower case or without what may part a
-- number's digits they are what a reference can say, and one that is not ASCII, or was corrected, may be anything.
create or replace temp table near as
with recursive said as (select patient_ref as raw from reference union select practitioner_ref from reference),
form as (
    select distinct unnest([lower(text), digits, email]) as said from wanted semi join said on said.raw = wanted.raw where text <> ''
),
cell as (
    select source_id, row_no, lower(trim(legacy_id, blanks())) as text from row_patients
    union all
    select source_id, row_no, lower(trim(email, blanks())) from row_patients
    union all
    select source_id, row_no, translate(nhs_number, blanks() || '-', '') from row_patients
),
reached as (
    select source_id || ':' || row_no as place from cell
    where text in (select said from form) or strlen(text) > length(text)
    union
    select source_id || ':' || row_no from correction where field in ('legacy_id', 'nhs_number', 'email')
    union
    select place from people_linked
    semi join reference on reference.source_id = people_linked.source_id and reference.row_no = people_linked.row_no
    union
    select case when tie.one = reached.place then tie.other else tie.one end
    from reached join tie on tie.one = reached.place or tie.other = reached.place
)
select staged_part(place, 1) as source_id, staged_part(place, 2) as row_no from reached where tenant_part(place) is null;

-- name: last_reconciled
select coalesce(max(seq), 0) from event where kind = 'reconcile.finished';

-- name: widen_dirty
-- Rows that are the same to the letter as a dirty one are looked at with it.
select cells.source_id, cells.row_no from {table} as cells
where fingerprint in (
    select fingerprint from {table} as touched semi join dirty
        on dirty.source_id = touched.source_id and dirty.row_no = touched.row_no);

-- The floor's ready rows, made by DuckDB between the clocks: ids drawn, references resolved, words filled in.
-- One query for each table of the profile `clinic`, in the order of their foreign keys.

-- name: users_user
select uuid()::varchar as id, "LegacyPatientID" as legacy_id, "LegacyPatientID" as username,
    "First Name" as first_name, "Last Name" as last_name, "Date of Birth" as date_of_birth,
    "NHS Number" as nhs_number, "Email Address" as email, "Mobile Phone" as mobile_phone, "Gender" as gender,
    "Street Address" as street_address, "City" as city, "Postcode" as postcode,
    "Emergency Contact Name" as emergency_contact_name, "Emergency Contact Phone" as emergency_contact_phone,
    coalesce("Role", 'PATIENT') as role
from patients order by patients.rowid

-- name: person
-- Whom a reference means. The sheets' keys differ in form, so that none means two people.
select legacy_id as reference, id from ready_users_user
union all select nhs_number, id from ready_users_user where nhs_number is not null
union all select email, id from ready_users_user where email is not null

-- name: clinical_data_allergy
select uuid()::varchar as id, person.id as patient_id, "Name" as name, "OnsetDate" as onset_date,
    coalesce("Severity", 'UNSPECIFIED') as severity, coalesce("Status", 'ACTIVE') as status,
    "ClinicalCode" as clinical_code
from background join ready_person as person on person.reference = "PatientID"
where "Type" = 'ALLERGY' order by background.rowid

-- name: clinical_data_condition
select uuid()::varchar as id, person.id as patient_id, "Name" as name, "OnsetDate" as onset_date,
    coalesce("Severity", 'UNSPECIFIED') as severity, coalesce("Status", 'ACTIVE') as status,
    "ClinicalCode" as clinical_code
from background join ready_person as person on person.reference = "PatientID"
where "Type" = 'MEDICAL CONDITION' order by background.rowid

-- name: clinical_data_note
select uuid()::varchar as id, person.id as patient_id, practitioner.id as practitioner_id,
    "Consultation Date" as consulted_at, coalesce("Note Type", 'GP NOTE') as note_type,
    "Clinical Note Text" as note_text, "Diagnosis" as diagnosis, "ClinicalCode" as clinical_code
from notes join ready_person as person on person.reference = "PatientID"
left join ready_person as practitioner on practitioner.reference = "Practitioner ID"
order by notes.rowid

-- name: clinical_data_prescription
select uuid()::varchar as id, person.id as patient_id, practitioner.id as practitioner_id,
    concat_ws(' ', "Drug Name", "Dosage / Strength") as drug_name, "Frequency / Instructions" as frequency,
    "Prescription Date" as prescribed_on, coalesce("Status", 'ACTIVE') as status,
    nullif(regexp_extract("Quantity Authorised", '^[0-9]+'), '') as quantity
from medications join ready_person as person on person.reference = "PatientID"
left join ready_person as practitioner on practitioner.reference = "Practitioner ID"
order by medications.rowid

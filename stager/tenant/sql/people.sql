-- name: snapshot_people
-- All of the tenant's people; what the profile has no column for is NULL, and so is a blank.
select {id}::text, {legacy_id}, {nhs_index}, {email}, {role} from {table}

-- name: text_of_person
nullif(btrim({column}::text), '')

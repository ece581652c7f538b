-- name: read_people
-- The tenant's people that no source of this migration made, by id; what the profile has no column for is
-- NULL, and so is a blank.
copy (
    select {id}::text, {legacy_id}, {nhs_index}, {email}, {role} from {table} as person
    where not {ours} order by {id}::text collate "C"
) to stdout (format csv)

-- name: count_people
-- How many read_people would give.
select count(*) from {table} as person where not {ours}

-- name: has_our_id
-- Whether a person's id was computed from a row of one of the sources: only the row number is not alike.
(left(person.{id}::text, {before}) || right(person.{id}::text, {behind}) = any({frames}))

-- name: has_our_lineage
-- Whether a person's id was drawn for a row of one of the sources.
exists (
    select from stager_lineage where target_id = person.{id} and target_table = {name}
        and sheet = {sheet} and source_sha256 = any({sources})
)

-- name: text_of_person
nullif(btrim({column}::text), '')

-- name: index_of_person
nullif(encode({column}, 'hex'), '')

-- name: word_of_person
-- What the tenant writes as the sheet's word; what is not mapped stays as it is.
case {text} {words} else {text} end

-- name: word_for_text
when {written} then {word}

-- Facts and events: what came in, and what was decided about it. Nothing here is ever altered.

-- What this file is: its migration's id, schema version, public key. One value for each name.
create table migration (name varchar not null, value varchar not null);

-- One row for each file that was taken in. Numbers and texts as they were found or chosen then.
create table source (
    source_id integer not null,
    sheet varchar not null,
    file_name varchar not null,
    sha256 varchar not null,
    size bigint not null,
    encoding varchar not null,
    confidence double not null,
    evidence varchar not null,
    delimiter varchar not null,
    newline varchar not null,
    columns varchar not null,      -- JSON: header, position, field, how it was matched
    mapping varchar,               -- JSON of the mapping profile, where one was used
    rules varchar not null,        -- JSON of stager.values.Rules
    content_root varchar not null  -- Merkle root over the blocks' bytes, hex
);

-- The file itself, every byte, in compressed blocks; a record's bytes are cut out of them by range.
create table source_block (
    source_id integer not null,
    block_no integer not null,
    byte_start bigint not null,
    byte_len bigint not null,
    data blob not null using compression uncompressed -- zstd already
);

-- The parts of a file that are no readable record: byte order mark, header, blank lines, malformed
-- records (these have a row number). With the row_ tables they hold every byte of the file once.
create table span (
    source_id integer not null,
    row_no integer,
    line integer not null,
    line_count integer not null,
    byte_start bigint not null,
    byte_len bigint not null,
    kind varchar not null,
    reason varchar
);

-- What a person typed in to replace a cell; events refer to it by its id. NULL blanks the cell.
create table correction (
    correction_id bigint not null,
    source_id integer not null,
    row_no integer not null,
    field varchar not null,
    value varchar
);

-- The tenant's own people as last read: ids, legacy ids, blind indexes, emails, roles.
create table tenant_person (
    target_id varchar not null,
    legacy_id varchar,
    nhs_index blob,
    email varchar,
    role varchar
);

create table event (
    seq bigint not null,           -- dense, from 1
    "at" bigint not null,            -- microseconds since 1970-01-01 UTC
    actor varchar not null,
    kind varchar not null,
    version integer not null,
    sheet varchar,
    source_id integer,
    row_no integer,
    finding_id bigint,
    detail varchar not null,       -- JSON without a patient's value
    leaf blob not null using compression uncompressed -- RFC 9162 leaf hash over every column above
);

-- One for each command: the tree's head after it, chained and signed.
create table seal (
    seal_no integer not null,
    "at" bigint not null,
    first_seq bigint not null,
    last_seq bigint not null,
    size bigint not null,
    root blob not null,
    previous blob not null,        -- SHA-256 of the seal before; 32 zero bytes for the first
    tree blob not null,            -- the compact range, so that the next seal need not start over
    signature blob not null        -- Ed25519 over the seal's encoding
);

-- Ids that the tenant's own sequences gave to published rows; deterministic ids need no keeping.
create table target_row (
    source_id integer not null,
    row_no integer not null,
    target_table varchar not null,
    target_id varchar not null
);

-- Projections: a fold of events over facts and nothing else. `stager rebuild` empties and refolds them.

-- Findings as they stand.
create table finding (
    finding_id bigint not null,
    sheet varchar not null,
    source_id integer not null,
    row_no integer not null,
    code varchar not null,
    field varchar,
    rule varchar,
    standing boolean not null,     -- whether the value may be accepted as it stands
    subject varchar not null,      -- keyed digest of what the finding is about
    related varchar,               -- addresses of the other rows that it is about
    suggestions varchar,           -- JSON: addresses with the reason for each
    state varchar not null,        -- open, decided, closed
    raised_seq bigint not null,
    closed_seq bigint,
    decided_seq bigint
);

-- A person's decisions, one row for each finding or row that one is about.
create table decision (
    seq bigint not null,
    actor varchar not null,
    decision varchar not null,
    finding_id bigint,
    source_id integer not null,
    row_no integer not null,
    field varchar,
    code varchar,
    target_source integer,         -- the staged patient linked to or merged into
    target_row integer,
    target_person varchar,         -- or the tenant's own
    correction_id bigint,
    undone_seq bigint
);

-- One row for each record of the files: its state, its links and how far it has come.
create table row_state (
    sheet varchar not null,
    source_id integer not null,
    row_no integer not null,
    state varchar not null,
    patient_source integer,
    patient_row integer,
    patient_person varchar,
    via varchar,
    practitioner_source integer,
    practitioner_row integer,
    practitioner_person varchar,
    rule_link varchar,             -- the rule's own link, kept where a person has decided otherwise
    approval_seq bigint,
    chunk_seq bigint,
    target_id varchar              -- only where the tenant's sequence gave the id
);

-- How the folding stands: the last event folded in, the tenant, the marks of the migration.
create table standing (name varchar not null, value varchar not null);

-- The report: counts and addresses, set-wise; no statement here gives a patient's value.

-- name: report_span
-- How many events there are, and when the first and the last were.
select count(*), min("at"), max("at") from event;

-- name: report_opened_by
select json_extract_string(detail, '$.stager') from event where kind = 'migration.opened' order by seq limit 1;

-- name: report_sources
select source.source_id, source.sheet, file_name, sha256, size, encoding, confidence, evidence, delimiter, newline,
    event."at" as registered_at, content_root, columns, mapping, rules
from source join event on event.kind = 'source.registered' and event.source_id = source.source_id
order by source.source_id;

-- name: report_links
-- Rows of the clinical sheets by the rule that found their patient; NULL for none.
select sheet, case when patient_source is null and patient_person is null then null else via end as rule, count(*)
from row_state where sheet <> 'patients' group by 1, 2;

-- name: report_findings
-- A finding of an excluded row is open for nobody.
select finding.sheet, finding.code,
    count(*) filter (finding.state = 'open' and row_state.state <> 'excluded'),
    count(*) filter (finding.state = 'decided'), count(*) filter (finding.state = 'closed')
from finding
join row_state on row_state.source_id = finding.source_id and row_state.row_no = finding.row_no
group by 1, 2 order by 1, 2;

-- name: report_decisions
-- What people's standing decisions settle: of a finding the decision that it stands by, of a row as such the last.
with reasoned as (
    select seq, coalesce(trim(json_extract_string(detail, '$.reason')), '') <> '' as given
    from event where kind in ('finding.decided', 'row.superseded')
),
settled as (
    select finding.sheet, decision.seq, decision.code, decision.decision, decision.actor
    from decision join finding on finding.finding_id = decision.finding_id and finding.decided_seq = decision.seq
    where decision.undone_seq is null
    union all
    select row_state.sheet, decision.seq, null, decision.decision, decision.actor
    from decision join row_state on row_state.source_id = decision.source_id and row_state.row_no = decision.row_no
    where decision.undone_seq is null and decision.finding_id is null
    qualify row_number() over (partition by decision.source_id, decision.row_no order by decision.seq desc) = 1
)
select sheet, code, decision, actor, coalesce(reasoned.given, false) as given, count(*)
from settled left join reasoned on reasoned.seq = settled.seq
group by all order by all;

-- name: report_bulk
select made.seq, made."at", made.actor, json_extract_string(made.detail, '$.decision'),
    json_extract(made.detail, '$.count')::bigint, json_extract_string(made.detail, '$.findings'),
    json_extract_string(made.detail, '$.rows'),
    coalesce(trim(json_extract_string(made.detail, '$.reason')), '') <> '', undoing.seq
from event as made
left join (
    select json_extract(detail, '$.undoes')::bigint as undoes, min(seq) as seq
    from event where kind = 'decision.undone' group by 1
) as undoing on undoing.undoes = made.seq
where made.kind = 'finding.decided' and json_extract(made.detail, '$.count')::bigint >= $least
order by made.seq;

-- name: report_count_of_kind
select count(*) from event where kind = $kind;

-- name: report_ages
-- When the open findings were raised: microseconds since 1970, and how many.
select raised."at", count(*)
from finding
join row_state on row_state.source_id = finding.source_id and row_state.row_no = finding.row_no
join event as raised on raised.seq = finding.raised_seq
where finding.state = 'open' and row_state.state <> 'excluded'
group by 1 order by 1;

-- name: report_changes
select source_id, sheet, kind, json_extract_string(detail, '$.field'), json_extract_string(detail, '$.rule'),
    sum(json_extract(detail, '$.count')::bigint)::bigint
from event where kind in ('value.normalised', 'value.defaulted')
group by all order by 1, 4, 3, 5;

-- name: report_missing_rows
-- Rows that have a patient and do not go to the tenant as things stand; what a person left out is left out.
select sheet, source_id, row_no, state, coalesce(patient_source || ':' || patient_row, 'tenant:' || patient_person)
from row_state
where sheet <> 'patients' and state in ('held', 'rejected', 'waiting')
    and (patient_source is not null or patient_person is not null);

-- name: report_approvals
select seq, "at", actor, detail from event where kind = 'approval.granted' order by seq;

-- name: report_runs
select started.seq, started."at", started.actor, started.detail, finished."at"
from event as started
left join event as finished on finished.kind = 'publish.finished'
    and json_extract(finished.detail, '$.run')::bigint = json_extract(started.detail, '$.run')::bigint
where started.kind = 'publish.started' order by started.seq;

-- name: report_chunks
select json_extract(detail, '$.chunk')::bigint, json_extract(detail, '$.count')::bigint, seq
from event where kind = 'publish.chunk_committed' order by seq;

-- name: report_seals
select count(*) from seal;

-- name: report_rejected_rows
select source_id, row_no from row_state
where sheet = $sheet and state = 'rejected' and patient_source is null and patient_person is null;

-- name: report_people_standing
select source_id, row_no from row_state
where sheet = 'patients' and source_id = $source_id and state <> 'excluded';

-- name: report_states_of_people
select source_id || ':' || row_no, state from row_state where sheet = 'patients';

-- name: report_tenants_people
select target_id, legacy_id, email from tenant_person;

-- name: report_rows_by_state
-- The rows of each sheet in each state as runs of neighbours, the first $most of them, and how many runs there are.
select sheet, state,
    string_agg(run_word(source_id, first_row, last_row), ' ' order by source_id, first_row) filter (nth <= $most),
    count(*)
from (
    select sheet, state, source_id, min(row_no) as first_row, max(row_no) as last_row,
        row_number() over (partition by sheet, state order by source_id, min(row_no)) as nth
    from (
        select sheet, state, source_id, row_no,
            row_no - row_number() over (partition by sheet, state, source_id order by row_no) as island
        from row_state
    )
    group by sheet, state, source_id, island
)
group by sheet, state;

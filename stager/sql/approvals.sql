-- Approving, and the plan that an approval binds.

-- name: select_ready
create or replace temp table chosen as
select sheet, source_id, row_no from row_state where state = 'ready' and {sheet};

-- name: count_by_sheet
select sheet, count(*) from {table} group by sheet;

-- name: runs_of
-- A table's rows as text, a word for each run of neighbours.
select coalesce(string_agg(run_word(source_id, first_row, last_row), ' ' order by source_id, first_row), '')
from (
    select source_id, min(row_no) as first_row, max(row_no) as last_row
    from (
        select source_id, row_no, row_no - row_number() over (partition by source_id order by row_no) as island
        from {table}
    )
    group by source_id, island
);

-- name: reconcile_due
select exists (
    select 1 from event
    where kind in ('source.registered', 'finding.decided', 'decision.undone', 'row.superseded', 'tenant.snapshotted')
        and seq > (select coalesce(max(seq), 0) from event where kind = 'reconcile.finished'));

-- name: changed_approvals
-- Approved rows, not published, that an event after $after is about.
create or replace temp table changed_approval as
select row_state.sheet, row_state.source_id, row_state.row_no, null::bigint as finding_id,
    '{' || '"because":' || min(changed.seq) || '}' as detail
from row_state
join (
    select seq, source_id, row_no from event
    where seq > $after and row_no is not null and kind not in ('approval.voided', 'finding.closed')
    union all
    select seq, source_id, row_no from decision where seq > $after
    union all
    select undone_seq, source_id, row_no from decision where undone_seq > $after
) as changed on changed.source_id = row_state.source_id and changed.row_no = row_state.row_no
where row_state.approval_seq is not null and row_state.chunk_seq is null and changed.seq > row_state.approval_seq
group by all;

-- name: cut_plan
-- The rows to publish: candidates whose persons are the tenant's own, published, or candidates themselves.
create or replace temp table plan as
with candidate as (select * from row_state where {candidates}),
fit as (
    select source_id, row_no from candidate where sheet = 'patients'
    union all
    select source_id, row_no from row_state where sheet = 'patients' and state = 'published'
)
select candidate.sheet, candidate.source_id, candidate.row_no, candidate.approval_seq, candidate.via,
    candidate.patient_source, candidate.patient_row, candidate.patient_person,
    candidate.practitioner_source, candidate.practitioner_row, candidate.practitioner_person
from candidate
left join fit as patient on patient.source_id = patient_source and patient.row_no = patient_row
left join fit as practitioner on practitioner.source_id = practitioner_source and practitioner.row_no = practitioner_row
where (patient_source is null or patient.row_no is not null)
    and (practitioner_source is null or practitioner.row_no is not null);

-- name: plan_sources
select netstring(source_id) || netstring(sha256) || netstring(content_root) || netstring(rules)
from source order by source_id;

-- name: plan_lines
select netstring(plan.sheet) || netstring(plan.source_id) || netstring(plan.row_no) || netstring(print.detail)
    || netstring(plan.patient_source) || netstring(plan.patient_row) || netstring(plan.patient_person)
    || netstring(plan.practitioner_source) || netstring(plan.practitioner_row) || netstring(plan.practitioner_person)
    || netstring(made.decisions) as line
from plan
join event as print on print.kind in ('row.accepted', 'row.rejected')
    and print.source_id = plan.source_id and print.row_no = plan.row_no
left join (
    select source_id, row_no, string_agg(seq || ' ' || decision, ',' order by seq, finding_id) as decisions
    from decision where undone_seq is null group by 1, 2
) as made on made.source_id = plan.source_id and made.row_no = plan.row_no
order by plan.source_id, plan.row_no;

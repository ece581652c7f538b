-- Approving, and the plan that an approval binds.

-- name: select_ready
create or replace temp table chosen as
select sheet, source_id, row_no from row_state where {ready};

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

-- name: any_approval_changed
-- Whether there are approvals to void, and an event after $after is about rows, as changed_approvals takes it.
select exists (select 1 from row_state where approval_seq is not null and chunk_seq is null)
    and (exists (
            select 1 from event
            where seq > $after and row_no is not null
                and kind not in ('approval.voided', 'finding.closed', 'finding.assigned'))
        or exists (select 1 from decision where seq > $after or undone_seq > $after));

-- name: changed_approvals
-- Approved rows, not published, that an event after $after is about.
create or replace temp table changed_approval as
select row_state.sheet, row_state.source_id, row_state.row_no, null::bigint as finding_id,
    '{' || '"because":' || min(changed.seq) || '}' as detail
from row_state
join (
    select seq, source_id, row_no from event
    where seq > $after and row_no is not null and kind not in ('approval.voided', 'finding.closed', 'finding.assigned')
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
with fit as (
    select source_id, row_no from row_state where sheet = 'patients' and (state = 'published' or {candidates})
)
select candidate.sheet, candidate.source_id, candidate.row_no,
    candidate.patient_source, candidate.patient_row, candidate.patient_person,
    candidate.practitioner_source, candidate.practitioner_row, candidate.practitioner_person
from row_state as candidate
left join fit as patient on patient.source_id = patient_source and patient.row_no = patient_row
left join fit as practitioner on practitioner.source_id = practitioner_source and practitioner.row_no = practitioner_row
where {candidates} and (patient_source is null or patient.row_no is not null)
    and (practitioner_source is null or practitioner.row_no is not null);

-- name: plan_sources
select netstring(source_id) || netstring(sha256) || netstring(content_root) || netstring(rules)
from source where source_id in (select source_id from plan) order by source_id;

-- name: plan_lines
-- What is published of each row depends on its record, its links, the values typed in for its cells (by the
-- keyed digests of their events), and whether its email may be its username. A line is netstrings, written as
-- one concat of their parts: a million of them take half the time so. seq: of the event that brought the row in.
select concat(
        text_head(plan.sheet), plan.sheet, net_end(plan.sheet),
        number_head(plan.source_id), plan.source_id, net_end(plan.source_id),
        number_head(plan.row_no), plan.row_no, net_end(plan.row_no),
        text_head(print.detail), print.detail, net_end(print.detail),
        number_head(patient_source), patient_source, net_end(patient_source),
        number_head(patient_row), patient_row, net_end(patient_row),
        text_head(patient_person), patient_person, net_end(patient_person),
        number_head(practitioner_source), practitioner_source, net_end(practitioner_source),
        number_head(practitioner_row), practitioner_row, net_end(practitioner_row),
        text_head(practitioner_person), practitioner_person, net_end(practitioner_person),
        text_head(typed.cells), typed.cells, net_end(typed.cells),
        case when sharing.row_no is not null then 'shares email' end) as line,
    plan.source_id, plan.row_no, print.seq
from plan
join event as print on print.kind in ('row.accepted', 'row.rejected')
    and print.source_id = plan.source_id and print.row_no = plan.row_no
left join (
    select source_id, row_no, string_agg(field || ' ' || cell, ',' order by field) as cells
    from (
        select decision.source_id, decision.row_no, decision.field,
            arg_max(json_extract_string(event.detail, '$.value_digest'), decision.seq) as cell
        from decision join event on event.seq = decision.seq
        where decision.correction_id is not null and decision.undone_seq is null group by 1, 2, 3
    )
    group by source_id, row_no
) as typed on typed.source_id = plan.source_id and typed.row_no = plan.row_no
left join (
    select distinct source_id, row_no from decision
    where code = 'patient.email_shared' and decision in ('accept', 'keep_both') and undone_seq is null
) as sharing on sharing.source_id = plan.source_id and sharing.row_no = plan.row_no
order by plan.source_id, plan.row_no;

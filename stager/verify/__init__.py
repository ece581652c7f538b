"""Verifying: the staging file and the tenant held against the sealed log; and proofs of what is in it.

verifying    the whole check, step by step; the first wrong thing ends it
log          events, seals and the head kept outside; facts, records: what came in
folding      projections folded anew beside the file's own, as they are and as they were
ledger       the tenant's ledger against the log; published: the tenant's rows against the plan
notes        checkpoints and keys in the text forms of C2SP; proofs: inclusion and consistency
pack         the auditor's pack; standalone: the verifier in it, which needs no stager
"""

from stager.verify.broken import checking
from stager.verify.pack import PackChecked, build_pack, verify_pack
from stager.verify.proofs import Evidence, Proofs
from stager.verify.published import Outside
from stager.verify.verifying import Verified, verify

__all__ = [
    "Evidence",
    "Outside",
    "PackChecked",
    "Proofs",
    "Verified",
    "build_pack",
    "checking",
    "verify",
    "verify_pack",
]

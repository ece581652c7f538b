"""The staging file: the only package that opens DuckDB.

opening   the encrypted file attached and shut off from all else, DuckDB's errors as ours
gathering frames gathered to whole row groups
file      what is asked of it: named statements, transactions, schema steps
"""

from stager.staging.file import Places, Staging, memory_for
from stager.staging.gathering import ROW_GROUP, Gathered
from stager.staging.opening import check_there

__all__ = ["ROW_GROUP", "Gathered", "Places", "Staging", "check_there", "memory_for"]

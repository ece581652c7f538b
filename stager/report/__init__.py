"""The migration report: everything that an auditor reads of a migration, without a patient's value.

model      the report as a tree of plain values      counts    small counts, suppressed
building   the tree, built set-wise from staging     findings, incomplete, publishing: parts of it
document   as JSON, under report.schema.json         tables    as CSV
page       as one HTML file                          charts    its inline SVG
"""

from stager.report.building import Beside, build
from stager.report.document import as_json, schema
from stager.report.model import Report, Target, TargetKey
from stager.report.page import as_html
from stager.report.tables import as_tables

__all__ = [
    "Beside",
    "Report",
    "Target",
    "TargetKey",
    "as_html",
    "as_json",
    "as_tables",
    "build",
    "schema",
]

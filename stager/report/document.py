"""The report as JSON, under the schema that comes with stager (`report.schema.json`)."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from msgspec import to_builtins

from stager.report.model import Report

SCHEMA = "report.schema.json"


def as_json(report: Report) -> bytes:
    """The report as JSON in UTF-8; the same report gives the same bytes."""
    return (json.dumps(to_builtins(report), indent=1, ensure_ascii=False) + "\n").encode()


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) that every report of this version keeps to."""
    told: dict[str, Any] = json.loads((files(__package__) / SCHEMA).read_text(encoding="utf-8"))
    return told

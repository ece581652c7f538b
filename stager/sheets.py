"""The four sheets, declared once: columns, rules, vocabularies, aliases, protection, labels.

Everything else reads from here: staging tables, header matching, validation, target columns,
`stager sheets`, the templates and the documentation's tables. Adding a word to a vocabulary, a
synonym or a header alias is a change in this file alone.

Source of the rules: the replaced system's page on its data import facility.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType

from msgspec import Struct
from msgspec import field as struct_field

ROW_COLUMNS = ("source_id", "row_no")
"""What names a row everywhere: its source file's number and its record's number below the header."""


class Kind(Enum):
    """What a column's cells hold; each kind has one rule in `stager.values`."""

    TEXT = "text"
    IDENTIFIER = "identifier"
    DATE = "date"
    MOMENT = "date, or date and time"
    NHS_NUMBER = "NHS number"
    EMAIL = "email address"
    PHONE = "phone number"
    POSTCODE = "UK postcode"
    WORD = "word of a vocabulary"
    CLINICAL_CODE = "SNOMED CT or ICD-10 code"
    QUANTITY = "number of units"
    NARRATIVE = "narrative, kept to the byte"
    PATIENT = "patient reference"
    PRACTITIONER = "practitioner reference"


class Protection(Enum):
    """How a column's values stand in the tenant's database unless its profile says otherwise."""

    OPEN = "open"
    ENCRYPTED = "encrypted"
    ENCRYPTED_INDEXED = "encrypted, found by blind index"


class Column(Struct, frozen=True, kw_only=True):
    """One column of a sheet.

    name: the header as the specification spells it.
    field: its name in staging tables, events and JSON.
    kind: which rule of `stager.values` its cells follow.
    protection: how it is kept in the tenant's database; a column cannot be built without one.
    vocabulary: the words allowed, upper case.
    synonyms: folded word (see `fold_word`) → word of the vocabulary.
    aliases: other headers that mean this column, matched after `fold_header`.
    """

    name: str
    field: str
    kind: Kind
    protection: Protection
    required: bool = False
    vocabulary: tuple[str, ...] = ()
    default: str | None = None
    synonyms: Mapping[str, str] = struct_field(default_factory=lambda: MappingProxyType({}))
    aliases: tuple[str, ...] = ()
    about: str = ""


class Sheet(Struct, frozen=True, kw_only=True):
    """One sheet: its name in commands and events, its title for people, its columns in order."""

    name: str
    title: str
    old_command: str
    columns: tuple[Column, ...]

    def __reduce__(self) -> tuple[Callable[[str], Sheet], tuple[str]]:
        """For another process: there, too, there is one of each."""
        return _sheet_called, (self.name,)

    @property
    def table(self) -> str:
        """The staging table of this sheet's rows."""
        return f"row_{self.name}"

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(column.field for column in self.columns)

    @property
    def required(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.required)

    def column(self, field_or_name: str) -> Column:
        """The column of that field or header name; KeyError if there is none."""
        for column in self.columns:
            if field_or_name in (column.field, column.name):
                return column
        raise KeyError(field_or_name)

    def of_kind(self, *kinds: Kind) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.kind in kinds)


def fold_header(header: str) -> str:
    """A header without case, spaces and punctuation: "E-mail  address" → "emailaddress"."""
    return re.sub(r"[\W_]+", "", header).casefold()


def fold_word(word: str) -> str:
    """A vocabulary word without case, outer and doubled spaces, `_` and `-`: "gp-Note " → "gp note"."""
    return re.sub(r"[\s_\-]+", " ", word.strip()).casefold()


_STATUS_WORDS = {"active": "ACTIVE", "current": "ACTIVE", "ongoing": "ACTIVE"}

_CLINICAL_CODE = Column(
    name="ClinicalCode",
    field="clinical_code",
    kind=Kind.CLINICAL_CODE,
    protection=Protection.OPEN,
    aliases=("Clinical Code", "SNOMED", "SNOMED Code", "SNOMED CT", "SNOMED-CT", "ICD10", "ICD-10", "Code"),
    about="SNOMED CT identifier (6–18 digits, Verhoeff check digit) or ICD-10 code; stays text",
)
_PRACTITIONER = Column(
    name="Practitioner ID",
    field="practitioner_ref",
    kind=Kind.PRACTITIONER,
    protection=Protection.OPEN,
    aliases=("Practitioner", "Clinician", "Clinician ID", "Prescriber", "Prescriber ID", "GP"),
    about="legacy ID or email address of a user whose role is not PATIENT",
)


def _patient_reference() -> Column:
    return Column(
        name="PatientID",
        field="patient_ref",
        kind=Kind.PATIENT,
        protection=Protection.OPEN,
        required=True,
        aliases=("Patient ID", "Patient", "LegacyPatientID", "Legacy ID", "Patient Ref", "Patient No"),
        about="legacy ID, NHS number or email address of the patient, tried in this order",
    )


PATIENTS = Sheet(
    name="patients",
    title="Patient Demographics",
    old_command="import_patients",
    columns=(
        Column(
            name="LegacyPatientID",
            field="legacy_id",
            kind=Kind.IDENTIFIER,
            protection=Protection.OPEN,
            required=True,
            aliases=(
                "Legacy ID",
                "Patient ID",
                "PatientID",
                "Patient No",
                "Patient Number",
                "Legacy Patient Number",
            ),
            about="unique in the practice; links the sheets",
        ),
        Column(
            name="First Name",
            field="first_name",
            kind=Kind.TEXT,
            protection=Protection.OPEN,
            required=True,
            aliases=("Forename", "Forenames", "Given Name", "Given Names", "Firstname"),
            about="given name",
        ),
        Column(
            name="Last Name",
            field="last_name",
            kind=Kind.TEXT,
            protection=Protection.OPEN,
            required=True,
            aliases=("Surname", "Family Name", "Lastname"),
            about="family name",
        ),
        Column(
            name="Date of Birth",
            field="date_of_birth",
            kind=Kind.DATE,
            protection=Protection.OPEN,
            required=True,
            aliases=("DOB", "D.O.B.", "Birth Date", "Birthdate", "Born"),
            about="YYYY-MM-DD; not in the future, not over 130 years ago",
        ),
        Column(
            name="NHS Number",
            field="nhs_number",
            kind=Kind.NHS_NUMBER,
            protection=Protection.ENCRYPTED_INDEXED,
            aliases=("NHS No", "NHS No.", "NHS", "NHS Num"),
            about="10 digits with a modulus-11 check; spaces and hyphens between digits are removed",
        ),
        Column(
            name="Email Address",
            field="email",
            kind=Kind.EMAIL,
            protection=Protection.OPEN,
            aliases=("Email", "E-mail", "E-mail Address", "Mail"),
            about="the username where given, else the LegacyPatientID",
        ),
        Column(
            name="Mobile Phone",
            field="mobile_phone",
            kind=Kind.PHONE,
            protection=Protection.OPEN,
            aliases=("Mobile", "Mobile No", "Mobile Number", "Phone", "Telephone", "Mobile Telephone"),
            about="UK or E.164; kept as given where it cannot be parsed, with a finding",
        ),
        Column(
            name="Gender",
            field="gender",
            kind=Kind.WORD,
            protection=Protection.OPEN,
            vocabulary=("MALE", "FEMALE", "UNKNOWN", "OTHER", "NOT_STATED"),
            synonyms=MappingProxyType(
                {"m": "MALE", "f": "FEMALE", "u": "UNKNOWN", "man": "MALE", "woman": "FEMALE"}
            ),
            aliases=("Sex",),
            about="administrative gender",
        ),
        Column(
            name="Street Address",
            field="street_address",
            kind=Kind.TEXT,
            protection=Protection.OPEN,
            aliases=("Address", "Address Line 1", "Address 1", "Street"),
            about="address line 1",
        ),
        Column(
            name="City",
            field="city",
            kind=Kind.TEXT,
            protection=Protection.OPEN,
            aliases=("Town", "Post Town", "City/Town"),
            about="city or town",
        ),
        Column(
            name="Postcode",
            field="postcode",
            kind=Kind.POSTCODE,
            protection=Protection.OPEN,
            aliases=("Post Code", "Postal Code", "ZIP"),
            about="UK postcode; normalised to upper case with one space",
        ),
        Column(
            name="Emergency Contact Name",
            field="emergency_contact_name",
            kind=Kind.TEXT,
            protection=Protection.OPEN,
            aliases=("Emergency Contact", "Next of Kin", "Next of Kin Name"),
            about="emergency contact's full name",
        ),
        Column(
            name="Emergency Contact Phone",
            field="emergency_contact_phone",
            kind=Kind.PHONE,
            protection=Protection.OPEN,
            aliases=("Emergency Phone", "Emergency Contact Number", "Next of Kin Phone"),
            about="as Mobile Phone",
        ),
        Column(
            name="Role",
            field="role",
            kind=Kind.WORD,
            protection=Protection.OPEN,
            vocabulary=("PATIENT", "CLINICIAN", "RECEPTIONIST", "PRACTICE_MANAGER"),
            default="PATIENT",
            synonyms=MappingProxyType(
                {"gp": "CLINICIAN", "doctor": "CLINICIAN", "nurse": "CLINICIAN", "reception": "RECEPTIONIST"}
            ),
            aliases=("User Role",),
            about="PATIENT unless said otherwise; a tenant's own list may add roles",
        ),
    ),
)

BACKGROUND = Sheet(
    name="background",
    title="Allergies & Conditions",
    old_command="import_clinical_background",
    columns=(
        _patient_reference(),
        Column(
            name="Name",
            field="name",
            kind=Kind.TEXT,
            protection=Protection.OPEN,
            required=True,
            aliases=("Allergen", "Condition", "Allergy", "Allergen or Condition", "Description"),
            about="allergen or condition",
        ),
        Column(
            name="Type",
            field="type",
            kind=Kind.WORD,
            protection=Protection.OPEN,
            required=True,
            vocabulary=("ALLERGY", "MEDICAL CONDITION"),
            synonyms=MappingProxyType(
                {"condition": "MEDICAL CONDITION", "allergies": "ALLERGY", "conditions": "MEDICAL CONDITION"}
            ),
            aliases=("Record Type", "Kind"),
            about="says which of the two tables the row goes to",
        ),
        Column(
            name="OnsetDate",
            field="onset_date",
            kind=Kind.DATE,
            protection=Protection.OPEN,
            required=True,
            aliases=("Onset Date", "Onset", "Date of Onset", "Start Date"),
            about="YYYY-MM-DD",
        ),
        Column(
            name="Severity",
            field="severity",
            kind=Kind.WORD,
            protection=Protection.OPEN,
            vocabulary=("MILD", "MODERATE", "SEVERE", "UNSPECIFIED"),
            default="UNSPECIFIED",
            synonyms=MappingProxyType({"not specified": "UNSPECIFIED", "unknown": "UNSPECIFIED"}),
            about="how severe it is",
        ),
        Column(
            name="Status",
            field="status",
            kind=Kind.WORD,
            protection=Protection.OPEN,
            vocabulary=("ACTIVE", "RESOLVED"),
            default="ACTIVE",
            synonyms=MappingProxyType({**_STATUS_WORDS, "past": "RESOLVED", "inactive": "RESOLVED"}),
            about="whether it still holds",
        ),
        _CLINICAL_CODE,
    ),
)

NOTES = Sheet(
    name="notes",
    title="Clinical Notes",
    old_command="import_clinical_notes",
    columns=(
        _patient_reference(),
        Column(
            name="Consultation Date",
            field="consulted_at",
            kind=Kind.MOMENT,
            protection=Protection.OPEN,
            required=True,
            aliases=("Consulted", "Date of Consultation", "Date", "Note Date", "Consultation Date/Time"),
            about="YYYY-MM-DD HH:MM or YYYY-MM-DD; local UK time unless the migration says otherwise",
        ),
        Column(
            name="Clinical Note Text",
            field="note_text",
            kind=Kind.NARRATIVE,
            protection=Protection.ENCRYPTED,
            required=True,
            aliases=("Note Text", "Note", "Notes", "Text", "Clinical Note", "Narrative"),
            about="raw narrative, kept to the byte, line breaks too",
        ),
        _PRACTITIONER,
        Column(
            name="Note Type",
            field="note_type",
            kind=Kind.WORD,
            protection=Protection.OPEN,
            vocabulary=("GP NOTE", "CONSULTATION", "TRIAGE", "REFERRAL", "DENTAL PROGRESS", "OTHER"),
            default="OTHER",
            synonyms=MappingProxyType(
                {"gp": "GP NOTE", "dental": "DENTAL PROGRESS", "consult": "CONSULTATION"}
            ),
            aliases=("Type",),
            about="what kind of note it is",
        ),
        Column(
            name="Diagnosis",
            field="diagnosis",
            kind=Kind.TEXT,
            protection=Protection.ENCRYPTED,
            aliases=("Reason", "Reason for Visit", "Problem"),
            about="diagnosis or reason for the visit",
        ),
        _CLINICAL_CODE,
    ),
)

MEDICATIONS = Sheet(
    name="medications",
    title="Medications",
    old_command="import_medications",
    columns=(
        _patient_reference(),
        Column(
            name="Drug Name",
            field="drug_name",
            kind=Kind.TEXT,
            protection=Protection.OPEN,
            required=True,
            aliases=("Drug", "Medication", "Medicine", "Medication Name"),
            about="generic or brand name",
        ),
        Column(
            name="Frequency / Instructions",
            field="frequency",
            kind=Kind.TEXT,
            protection=Protection.OPEN,
            required=True,
            aliases=("Frequency", "Instructions", "Dosage Instructions", "Directions"),
            about="dosage instructions",
        ),
        Column(
            name="Prescription Date",
            field="prescribed_on",
            kind=Kind.DATE,
            protection=Protection.OPEN,
            required=True,
            aliases=("Prescribed", "Date Prescribed", "Issue Date", "Date"),
            about="YYYY-MM-DD",
        ),
        Column(
            name="Dosage / Strength",
            field="strength",
            kind=Kind.TEXT,
            protection=Protection.OPEN,
            aliases=("Dosage", "Strength", "Dose"),
            about="appended to the drug name, a space between",
        ),
        Column(
            name="Status",
            field="status",
            kind=Kind.WORD,
            protection=Protection.OPEN,
            vocabulary=("ACTIVE", "ACUTE", "REPEAT", "DISPENSED", "DISCONTINUED", "CANCELLED", "EXPIRED"),
            default="ACTIVE",
            synonyms=MappingProxyType({**_STATUS_WORDS, "stopped": "DISCONTINUED", "canceled": "CANCELLED"}),
            about="where the prescription stands",
        ),
        Column(
            name="Quantity Authorised",
            field="quantity",
            kind=Kind.QUANTITY,
            protection=Protection.OPEN,
            aliases=("Quantity", "Qty", "Quantity Authorized"),
            about='a number of units; "28" and "30 tablets" both give the number',
        ),
        _PRACTITIONER,
    ),
)

SHEETS: tuple[Sheet, ...] = (PATIENTS, BACKGROUND, NOTES, MEDICATIONS)
"""In the order of their foreign keys, which reconciling and publishing follow."""

SHEET: Mapping[str, Sheet] = MappingProxyType({sheet.name: sheet for sheet in SHEETS})


def _sheet_called(name: str) -> Sheet:
    return SHEET[name]


class Code(Enum):
    """The finding codes: what may be said against a row, and what that does to its state."""

    VALUE_MISSING = "value.missing"
    VALUE_INVALID = "value.invalid"
    VALUE_NORMALISED = "value.normalised"
    VALUE_DEFAULTED = "value.defaulted"
    VALUE_SUSPECT = "value.suspect"
    VALUE_UNKNOWN = "value.unknown"
    ROW_MALFORMED = "row.malformed"
    ROW_REPEATED = "row.repeated"
    PATIENT_ID_SHARED = "patient.id_shared"
    PATIENT_DUPLICATE = "patient.duplicate"
    PATIENT_EMAIL_SHARED = "patient.email_shared"
    PATIENT_WAITING = "patient.waiting"
    PRACTITIONER_UNRESOLVED = "practitioner.unresolved"
    LINK_AMBIGUOUS = "link.ambiguous"
    LINK_CONFLICT = "link.conflict"
    LINK_UNRESOLVED = "link.unresolved"
    PUBLISH_REFUSED = "publish.refused"


REJECTING: frozenset[Code] = frozenset({Code.VALUE_MISSING, Code.VALUE_INVALID, Code.ROW_MALFORMED})
"""Codes that reject their row; the other findings hold it."""

EXPLAINED: Mapping[Code, str] = MappingProxyType(
    {
        Code.VALUE_MISSING: "a required value is missing",
        Code.VALUE_INVALID: "a required value is unreadable",
        Code.VALUE_NORMALISED: "a value was trimmed, folded or replaced by its listed synonym",
        Code.VALUE_DEFAULTED: "a default was filled in",
        Code.VALUE_SUSPECT: "an optional value fails its rule, or a clinical date cannot be right",
        Code.VALUE_UNKNOWN: "a word is not in the column's vocabulary",
        Code.ROW_MALFORMED: "the record cannot be parsed; its bytes are kept",
        Code.ROW_REPEATED: "the same record stands in the sheet before, to the letter",
        Code.PATIENT_ID_SHARED: "two patients share a LegacyPatientID",
        Code.PATIENT_DUPLICATE: "two patients share an NHS number, or look like one person",
        Code.PATIENT_EMAIL_SHARED: "an earlier patient has the same email address, so the same username",
        Code.PATIENT_WAITING: "the row is fine but its patient is held, rejected or excluded",
        Code.PRACTITIONER_UNRESOLVED: "the practitioner reference finds no one",
        Code.LINK_AMBIGUOUS: "the patient reference finds two or more persons",
        Code.LINK_CONFLICT: "the patient reference finds different persons by different keys",
        Code.LINK_UNRESOLVED: "the patient reference finds no one",
        Code.PUBLISH_REFUSED: "the tenant's database refused the row",
    }
)


class State(Enum):
    """The states of a row; every row is in exactly one."""

    READY = "ready"
    HELD = "held"
    WAITING = "waiting"
    REJECTED = "rejected"
    EXCLUDED = "excluded"
    APPROVED = "approved"
    PUBLISHED = "published"

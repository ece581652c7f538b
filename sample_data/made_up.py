"""The words that generated practices are made of: names, conditions, drugs, sentences, clinical codes."""

from __future__ import annotations

_DIHEDRAL = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
"""The multiplication table of the dihedral group of ten elements, which Verhoeff's check uses."""

_PERMUTED = "1576283094"
_INVERSE = "0432156789"


def verhoeff_digit(digits: str) -> str:
    """The check digit that Verhoeff's scheme puts behind the digits."""
    check = 0
    for place, digit in enumerate(reversed(digits), start=1):
        moved = int(digit)
        for _ in range(place % 8):
            moved = int(_PERMUTED[moved])
        check = int(_DIHEDRAL[check][moved])
    return _INVERSE[check]


def _snomed(item: int) -> str:
    """A made-up concept identifier of the international partition `00`, its check digit valid."""
    body = f"{item}00"
    return body + verhoeff_digit(body)


CLINICAL_CODES = (
    *(_snomed(item) for item in range(10_007, 9_999_999, 40_009)),
    *(_snomed(item) for item in range(10_000_000_000_007, 99_999_999_999_999, 2_000_000_000_003)),
)
"""Identifiers of 8 to 17 digits; what they would mean is nobody's concern."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.splitlines())


FIRST_NAMES = _words("""
Ada Basil Cora Dilys Edwin Flora Gideon Hester Ivor Juno Kester Linnet Magnus Nell Orson Perdita
Quill Rosalind Silas Tamsin Ulric Verity Wilfred Xanthe Yorick Zelda Alban Briony Cosmo Delphine Ewan
Fern Gwilym Harriet Ingram Jessamy Kit Lorna Merlin Nora Oswin Piers Quentin Robin Sorrel Tobias Una
Vaughan Willa Yvaine Zachary Zoë Renée Łucja Bjørn Siân Aoife Chidi Nkem Arjun Leila Mei Tomasz Yusuf
""")
LAST_NAMES = tuple(
    start + end
    for start in _words("Sample Test Mock Draft Proto Fable Inven Ficti Specim Examp Templ Trial Dummy")
    for end in _words("by ham ton wick worth ridge low stead ford ley combe garth shaw thwaite croft mere")
)
STREETS = ("Imaginary Row", "Invented Lane", "Nowhere Street", "Fable Close", "Mock Terrace")
TOWNS = ("Samplebury", "Testhampton", "Mockford", "Little Fixture", "Draftwick")
GENDERS = _words("FEMALE MALE FEMALE MALE FEMALE MALE FEMALE MALE UNKNOWN OTHER NOT_STATED f Male")

ALLERGENS = _lines("""\
Penicillin
Peanut
Latex
Shellfish
House dust mite
Bee sting
Crème fraîche""")
CONDITIONS = _lines("""\
Asthma
Essential hypertension
Type 2 diabetes mellitus
Hypothyroidism
Osteoarthritis of knee
Ménière's disease
Depressive disorder
Migraine, with aura""")
BACKGROUND = (
    *((name, "ALLERGY") for name in ALLERGENS),
    *((name, "MEDICAL CONDITION") for name in CONDITIONS),
)
SEVERITIES = ("MILD", "MODERATE", "SEVERE", "UNSPECIFIED", None)
BACKGROUND_STATUSES = ("ACTIVE", "ACTIVE", "RESOLVED", None)

NOTE_TYPES = ("GP NOTE", "GP NOTE", "CONSULTATION", "TRIAGE", "REFERRAL", "DENTAL PROGRESS", "OTHER", None)
DIAGNOSES = ("Hypertension", "Cough", "Knee pain", "Diabetes", "Low mood", "Eczema", "Ear wax", None, None)
OPENINGS = _lines("""\
Came about a cough of two weeks.
Review of long-term treatment.
Telephone consultation, daughter present.
Seen with pain in the left knee.
Routine check.
Called in after an abnormal result.
Tired for a month.
Follow-up after discharge.
Rash on both arms since Friday.
Attended for medication review.""")
FINDINGS = _lines("""\
Chest clear, sats 97%.
No red flags.
Abdomen soft, not tender.
Walks with a stick, unchanged.
Skin dry, no infection.
Feet: pulses present.
Mood low, no thoughts of self-harm.
Looks well.
Throat red, no exudate.
Says it is "no better, no worse".
Gait normal; reflexes equal.""")
PLANS = _lines("""\
Advice given, call back if worse.
Bloods booked, see again in 6 months.
Treatment unchanged.
Referred, two-week wait explained.
Leaflet given; exercises shown.
Dose increased, recheck in a month.
No action.
Prescription sent to the pharmacy.
Safety net: "ring 999 if breathless".""")
VITALS = tuple(
    f"BP {systolic}/{diastolic}, pulse {56 + (systolic + diastolic) % 44}."
    for systolic in range(98, 182)
    for diastolic in range(56, 104)
)
CLOCK = (None, *(f" {hour:02d}:{minute:02d}" for hour in range(8, 19) for minute in range(60)))
"""Times of day; none of them lies in an hour that a clock change touches."""

DRUGS = (
    ("Amlodipine", "5mg"),
    ("Salbutamol inhaler", "100 micrograms"),
    ("Metformin", "500mg"),
    ("Levothyroxine", "75 µg"),
    ("Omeprazole", "20mg"),
    ("Sertraline", "50mg"),
    ("Emollient cream", None),
    ("Ramipril", "2.5mg"),
    ("Atorvastatin", "40mg"),
    ("Paracetamol", "500mg"),
)
INSTRUCTIONS = _lines("""\
Take one tablet once daily
Take one twice daily with meals
Take two when required, up to four times a day
Use as directed by the clinician
Take one at night""")
MEDICATION_STATUSES = ("ACTIVE", "REPEAT", "REPEAT", "ACUTE", "DISPENSED", "DISCONTINUED", "EXPIRED", None)
QUANTITIES = ("28", "56", "30 tablets", "14", "100", "1", None)

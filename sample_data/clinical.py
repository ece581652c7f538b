"""The plain clinical rows of the made-up practice: what most of an export looks like."""

from __future__ import annotations

from datetime import date, timedelta

from sample_data.people import PLAIN_IDS
from sample_data.record import Record

BACKGROUND_HEADER = ("PatientID", "Name", "Type", "Onset Date", "Severity", "Status", "SNOMED Code")
NOTES_HEADER = (
    *("PatientID", "Consultation Date", "Clinical Note Text", "Practitioner ID"),
    *("Note Type", "Diagnosis", "ClinicalCode"),
)
MEDICATIONS_HEADER = (
    *("PatientID", "Drug Name", "Frequency / Instructions", "Prescription Date"),
    *("Dosage / Strength", "Status", "Qty", "Prescriber"),
)

_FIRST_DAY = date(2014, 1, 6)
"""No plain clinical date lies before it; every patient is born before."""

_BACKGROUND = """\
Penicillin|ALLERGY|SEVERE|ACTIVE|91936005
Asthma|MEDICAL CONDITION|MODERATE|ACTIVE|195967001
Peanut|ALLERGY|SEVERE|ACTIVE|91935009
Essential hypertension|MEDICAL CONDITION|MILD|ACTIVE|I10
Shellfish|ALLERGY|MODERATE|ACTIVE|300913006
Type 2 diabetes mellitus|MEDICAL CONDITION|MODERATE|ACTIVE|44054006
Ménière’s disease|MEDICAL CONDITION|MODERATE|ACTIVE|H81.0
Nickel – cheap jewellery (£1 earrings)|ALLERGY|MILD|ACTIVE|
Depressive disorder|MEDICAL CONDITION|MODERATE|RESOLVED|35489007
Hypothyroidism|MEDICAL CONDITION|MILD|ACTIVE|40930008
Crème fraîche and other dairy|ALLERGY|UNSPECIFIED|ACTIVE|
Migraine|MEDICAL CONDITION|MODERATE|ACTIVE|37796009
Osteoarthritis of knee|MEDICAL CONDITION|MODERATE|ACTIVE|M17.9
Latex|ALLERGY|MILD|ACTIVE|
Atopic eczema|MEDICAL CONDITION|MILD|RESOLVED|24079001
Sjögren’s syndrome|MEDICAL CONDITION|MODERATE|ACTIVE|M35.0
Epilepsy|MEDICAL CONDITION|SEVERE|ACTIVE|84757009
Bee sting|ALLERGY|SEVERE|ACTIVE|
Gastro-oesophageal reflux|MEDICAL CONDITION|MILD|ACTIVE|235595009
"""
"""Name, type, severity, status, clinical code."""

_MEDICATIONS = """\
Amlodipine|Take one tablet once daily|5mg|REPEAT|28
Salbutamol inhaler|Inhale two puffs when required|100 micrograms|REPEAT|1
Metformin|Take one tablet twice daily with meals|500mg|REPEAT|56 tablets
Levothyroxine|Take one tablet in the morning, before breakfast|75 µg|ACTIVE|28
Omeprazole|Take one capsule once daily|20mg|REPEAT|28 capsules
Clarithromycin|Take one tablet twice daily for 7 days|500mg|ACUTE|14
Sertraline|Take one tablet each morning|50mg|ACTIVE|28
Ibuprofen|Take one tablet three times daily with food|400mg|DISCONTINUED|84
Emollient cream|Apply liberally at least twice a day||ACTIVE|1
Sumatriptan|Take one at onset of migraine; may be repeated once after 2 hours|50mg|ACTIVE|6
Paracetamol|Take two tablets up to four times daily|500mg|EXPIRED|100
Lamotrigine|Take one tablet twice daily|100mg|REPEAT|56
Prednisolone|Take six tablets once daily for 5 days|5mg|DISPENSED|30 tablets
Fluticasone nasal spray|Two sprays into each nostril daily|50 micrograms|CANCELLED|1
Adrenaline auto-injector|Use as instructed in an emergency|300 micrograms|ACTIVE|2
"""
"""Drug, instructions, strength, status, quantity."""

_NOTES = """\
Came about a cough of two weeks, worse at night. Chest clear, sats 97%. Advised fluids and \
rest.|CONSULTATION|Cough|49727002
Blood pressure review: 138/84, on treatment. No dizziness. Bloods booked, see again in 6 months.|GP \
NOTE|Hypertension|38341003
Telephone triage. Fever since yesterday, drinking well, no rash.¶Advice given; call back if \
worse.|TRIAGE|Fever|386661006
Says the knee is "no better, no worse". Walks a mile with a stick. Exercises shown \
again.|CONSULTATION|Knee pain|M25.5
Diabetic annual review.¶- HbA1c 52 mmol/mol¶- feet: pulses present, sensation normal¶- eyes: \
screened|GP NOTE|Diabetes|44054006
Referred to dermatology: pigmented lesion on left forearm, 7 mm, changing. Two-week wait \
explained.|REFERRAL||
Scale and polish. BPE 2 1 2 / 1 2 1. Fluoride varnish placed, diet discussed, recall 12 \
months.|DENTAL PROGRESS|Gingivitis|
Inhaler technique checked – good. Peak flow 410 (best 450). Asthma plan handed over.|GP \
NOTE|Asthma|195967001
Low mood for three months since redundancy. Sleep poor, appetite fair, no thoughts of \
self-harm.¶Plan: talking therapy, review in 2 weeks.|CONSULTATION|Depression|35489007
Flu vaccination given, left deltoid. No reaction after 15 minutes.|OTHER||
Smear taken, cervix seen, no concerns. Result by post.|GP NOTE||
Ear syringing not done: drum not visible, drops for a week first; "sounds like the sea", she \
says.|CONSULTATION|Ear wax|
Migraine twice this month, aura both times. Diary started; sumatriptan \
explained.|CONSULTATION|Migraine|37796009
"""
"""Text (¶ stands for a line break), note type, diagnosis, clinical code."""

_CLINICIANS = ("GP01", "GP02", "N01", "GP01", "")


def _day(count: int) -> date:
    """The count-th day on which something was written down; the days do not repeat."""
    return _FIRST_DAY + timedelta(days=count * 29 % 3650)


def _linked(reference: str, *cells: str) -> Record:
    return Record(cells=(reference, *cells), patient=reference, via="legacy_id")


def plain_background() -> list[Record]:
    """Two entries for each plain patient."""
    entries = [line.split("|") for line in _BACKGROUND.splitlines()]
    rows = []
    for count, patient in enumerate(PLAIN_IDS * 2):
        name, kind, severity, status, code = entries[(count * 7) % len(entries)]
        rows.append(_linked(patient, name, kind, f"{_day(count)}", severity, status, code))
    return rows


def plain_notes() -> list[Record]:
    """Three notes for each plain patient, some of several lines, some with quotes."""
    texts = [line.split("|") for line in _NOTES.splitlines()]
    rows = []
    for count, patient in enumerate(PLAIN_IDS * 3):
        text, kind, diagnosis, code = texts[(count * 5) % len(texts)]
        clock = f" {8 + count % 10:02d}:{count * 7 % 60:02d}" if count % 6 else ""
        clinician = _CLINICIANS[count % len(_CLINICIANS)]
        cells = (f"{_day(count)}{clock}", text.replace("¶", "\n"), clinician, kind, diagnosis, code)
        rows.append(_linked(patient, *cells))
    return rows


def plain_medications() -> list[Record]:
    """Two prescriptions for each plain patient."""
    drugs = [line.split("|") for line in _MEDICATIONS.splitlines()]
    rows = []
    for count, patient in enumerate(PLAIN_IDS * 2):
        drug, instructions, strength, status, quantity = drugs[(count * 4) % len(drugs)]
        clinician = _CLINICIANS[count % len(_CLINICIANS)]
        cells = (drug, instructions, f"{_day(count)}", strength, status, quantity, clinician)
        rows.append(_linked(patient, *cells))
    return rows

"""stager: an event-sourced importer of patient records from CSV sheets into a tenant's Postgres."""

__version__ = "0.1.0"

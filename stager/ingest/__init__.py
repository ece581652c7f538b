"""Ingest: files into the staging file, every byte accounted for."""

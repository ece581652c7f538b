"""A tenant: which database it is, what its tables look like, and every word spoken to Postgres.

The only package that imports psycopg. Other packages get connections from `postgres` and see
psycopg's errors only as stager's own (`postgres.guarded`), which hold no patient's value.
"""

"""Publishing: approved rows into a tenant's database, each exactly once, protected fields sealed.

publishing   the command: lock, plan, runs
one_run      a run's chunks against the ledger; chunks, runs: their cutting and their text
reading      what a chunk is made from; own_ids, people_ids: the ids in it
encoding     values to columns to bytes, in processes; target_rows, sealing, pgcopy
pipeline     what is under way at once
sending      one chunk's transaction; placing: where the database refuses rows; refusals
recording    what became of it, as events
reencrypt    protected fields under the newest key

It imports nothing: the processes that make rows ready import what they need of it, and begin the sooner.
"""

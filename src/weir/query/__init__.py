"""Tenants' SQL: the gate, what a query reads, and the worker that runs it.

The life of a query:

1. ``ask.ask`` is the one way in, for SQL over HTTP and for what Weir asks by itself: it waits for
   a slot, takes the snapshot, hands both to a worker and closes everything whatever happens.
2. ``pool.QueryPool`` lets queries in: so many at a time, so many of one tenant, tenants in turn,
   one deadline from the wait to the last byte. Who is refused has cost nobody anything.
3. A ``job.Job`` tells a worker all that it learns: the statement, its parameters, and each table
   that it may read, with the table's files, its tail and its watermark.
4. The worker (``worker``, in the sandbox of ``weir.workers``) gives up every file but the job's,
   and only then reads the statement.
5. ``statement.gate`` has the engine read it (``engine.syntax``), binds the parameters as literals,
   holds every node of the engine's tree against lists (``statement.policy``), and has the engine
   write anew what will run: properties read by pointer (``statement.rewrite``), or from columns
   where these give the same (``statement.acceleration``).
6. ``statement.pruning`` bounds the times that each table is asked for; files outside of them are
   not read.
7. The engine runs the one SELECT over views that are named like the tables; ``formats`` and
   ``values`` write the rows; ``result.QueryResult`` streams them to whoever asked.

What holds:

- Isolation is by the list of files: a table is what the job lists for it, and nothing else can be
  opened. The gate is one layer of several (docs/decisions/0004-query-isolation.md).
- The gate knows no table by itself: a name means a table of the job, or a CTE of the statement.
- A tenant's statement has no placeholders. Values of Weir's own statements become literals in the
  tree, and the gate reads them like any other.
- Columns and JSON give the same answer, and so do a pruned list of files and the whole one.
- There is one reader of SQL, the engine. It runs what it writes from the tree that was checked,
  never the text that was sent.
- Where an answer depends on a reading that a person may not expect, it says so (``meta.notes``).
- An answer carries the least watermark of the tables that it read.
"""

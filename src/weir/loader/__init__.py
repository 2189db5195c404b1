"""The loader: journals become queryable rows at once, and sorted files in the lake soon after.

The life of a row:

1. ``read/``: a round reads every journal up to its durable end (``rounds.py``). Its frames are
   decoded by their dialects, and portions of them become Arrow blocks (``portions.py``,
   ``decoder.py``, ``rows.py``). A frame that breaks its decoder becomes a dead letter, whole.
2. ``tail/``: what is read (``feed.py``), and dead letters that decode now (``replay.py``), is held
   against the ids of the lake and of the tail (``dedup.py``) and added to the growing generation
   (``writer.py``, ``tail.py``). From here on queries see it (``view.py``).
3. ``commit/``: at an age, a size or a demand the generation is closed: a cut (``cutter.py``,
   ``rules.py``). Its intent is recorded, its rows are rendered and written, each file is read
   back, and one catalog transaction takes it all (``committer.py``, ``render.py``,
   ``writing.py``). In the same moment the view goes from the rows in memory to the files.
4. ``upkeep/``: files that are retired go (``removals.py``), small ones are merged
   (``compaction.py``), all are held against their checksums (``scrub.py``), and what a crash left
   is swept away (``orphans.py``).
5. ``serve/``: snapshots, the ledger, traces, replays and cuts, over ``run/loader.sock``.

``build.py`` puts the parts together, ``run.py`` runs them. A folder imports only those
before it in this list, and ``commit`` and ``upkeep`` not each other; below all of them are
``ports.py``, what the loader asks of the world, and ``values.py``. import-linter holds it.

Threads: one reads, decides and alone adds to the tail (``run.Loop``); ``lake-commit`` carries out
one commit at a time; ``upkeep`` does the rest in turn (``background.py``); one per connection
answers; the merge itself runs in a process of its own. What they share is guarded by the view.

Invariants:

- A query sees a row in the tail or in a file, never in both and never in neither.
- A commit is a function of its intent and the journals: repeated after a crash it writes the same
  bytes under the same names.
- Nothing is removed before the transaction that makes it superfluous, nor while a backup holds
  removals, nor while a query may still read it.
- Every change of the catalog compares the loader's epoch: a loader that was replaced cannot
  commit, and ends.
- Every accepted event has one outcome: the ledger's sum is the journals' own count.
- The watermark is never ahead of what can be seen.

When the loader dies, nothing acknowledged is lost: the tail is read again from the journals, an
unfinished intent is carried out first. Queries are answered meanwhile, from what is there: the
first watermark is when the first event was received that is not in the lake (``read/rounds.py``).
What has no watermark waits (``serve/rereading.py``). A frame that ends the loader again and again
is found and put aside (``read/watch.py``). The formats are described in docs/formats: lake.md,
raw.md, dedup.md, catalog.md.
"""

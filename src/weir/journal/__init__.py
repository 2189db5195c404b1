"""The write-ahead log of one edge worker: acknowledged means in here and on disk.

A journal is a directory, ``journal/NN``, with one writer. Its files hold frames: a frame is a
request's body and what the door has decided about it. A position counts bytes of frames since the
journal began, an offset counts events; both only grow and are never used twice.

The life of a frame:

1. The door appends a draft (``writer.py``). While one batch is on its way to the disk, further
   drafts gather; the next batch takes them all.
2. The writer's thread gives the batch its places and times, encodes it (``frame.py``), writes it
   into the active file and calls ``fdatasync`` once (``appender.py``).
3. The new end is published in the mapped file ``state`` (``state.py``). Then the waiters are
   told, and the replies leave.
4. A file that has its size is ended, and a fresh one begun behind it (``file.py``).
5. The loader reads up to the published end, never beyond (``reader.py``, ``walk.py``). A range
   that cannot be read is stepped over, kept in quarantine and counted.
6. Once a lake commit covers a file, it is removed (``expiry.py``).

Opening a journal recovers it (``opening.py``, ``recovery.py``): of the newest file whole frames
behind the known end are kept, what follows is cut. The loader does that for a journal whose
worker is gone for good (``abandoned.py``). A worker whose disk refuses it a journal answers with
503 meanwhile (``absent.py``).

Invariants:

- No waiter hears ``durable`` before the ``fdatasync`` that covers its frame.
- A write or sync that failed is never repeated on that file: the writer is dead, its owner ends.
- No file is ever written by two processes; the directory's lock is held for the writer's life.
- ``received_at`` grows strictly within a journal, whatever the clock does.
- A frame counts only at the position that it names, under its file's secret seed: no payload can
  pose as one.
- The published end is always true in the boot that published it; after a power cut it is a lower
  bound until the journal is recovered.

When a worker dies, drafts that were not acknowledged are lost, or appear once: their clients heard
nothing and send again. When the disk loses acknowledged bytes, their events are counted as
quarantined or lost, never passed over in silence. The bytes are described in ``frame.py``,
``file.py`` and ``state.py``, the reasons in docs/formats/journal.md and decision 3.
"""

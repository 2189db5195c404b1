"""The wire formats of vendors: what their clients send, and what becomes of it.

A dialect is a folder. Its table of fields (``fields.Field``: name on the wire, where it goes in an
``Event``, kind, limits) is the one place where an event is written down; the types that decode a
whole body are made from it, and so is its JSON Schema. A ``shapes.BodyFormat`` says of each route
which shapes a body may have (one event, an array, an envelope, lines), how many events it may hold,
and the policy: the good events are taken, or all or none. Limits, what stands around the events,
replies and examples are the dialect's own. ``table.DIALECTS`` lists all dialects, a line each: what
the door, the loader and the OpenAPI document know of them comes from there. The contract suite
holds every one of them to what is said here.

The life of a body:

1. *Admission.* The door calls ``route.admit(submission)`` with a body that was received whole and
   inflated. The policy (``batches``) checks the text (``hygiene``) and decodes the body at once. On
   any doubt the events are judged one by one by the table (``fields.judge_event``), which finds
   every problem. An ``Admission`` comes out, or an error that ``route.render_error`` puts into the
   vendor's words.
2. *Journal.* The door writes the body as it came, but for a key that stood in it, with the indices
   of refused events in the frame's metadata, and then answers.
3. *Decoding.* The loader calls ``route.dialect.decode(frames)``, found by the code in the frames.
   The ``frame_reader`` makes ``Event`` values of the taken events, nothing asked of them again:
   fields that are not canonical go into ``properties``, what an envelope says goes to each event.

Invariants:

* Decoding gives exactly as many events as admission took, in the order in which they were sent.
* A frame decodes to the same events for ever, whatever frames are decoded beside it. A dialect's
  code and version are never used for another format; what would read a body otherwise is a new
  version.
* The fast way and the table agree on every event: whether it is taken, and each value of it.
* Texts are kept: ``properties``, ``context`` and numbers stay byte for byte as they were sent.
* All of it is pure: bytes and limits in, values or a ``WeirError`` out. No clock, no disk, no
  memory of earlier requests.
"""

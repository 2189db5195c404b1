"""Sandboxed processes that each do one job and end: what is true of a worker whatever its kind.

A kind of worker (``kind.WorkerKind``; queries are one) names the module that its fork server runs
and brings two functions: ``warm_up``, which runs once in the fork server, and ``serve_one``, which
is a worker's whole life. This package knows neither SQL nor results.

The life of a worker:

1. ``spares.SpareWorkers`` starts the fork server (``zygote``), a clean process with one thread and
   a connected engine, and asks it for workers: one byte, with the worker's end of a socket pair.
2. The fork server forks and answers ``BORN`` with the process id and a pidfd.
3. The worker gives up everything but its socket (``sandboxed.enter``), opens its session, and
   says ``READY``. It is spare now, and holds nothing of any tenant.
4. ``running.RunningJob`` takes it and sends one job, the descriptors that belong to it beside it.
5. The worker gives up every file but the job's, starts its threads, gives up processes and system
   calls (``sandboxed.confine``), in this order, because a thread is held to what its maker was.
6. It answers with any number of ``BODY`` and one last ``DONE`` or ``FAILED``, and ends.
7. The parent kills it by its pidfd (``kill.Worker``): at the deadline, when the client has gone,
   or after the last word, whatever the worker does. ``ENDED`` tells how it ended.

What holds:

- One worker, one job. Nothing of one tenant is in memory when another's job comes.
- A limit that matters is held by the kernel or by the parent, never by the worker alone.
- A worker that dies fails its own job and nothing else; a fork server that dies is started again.
- Workers end with their fork server, and the fork server with its parent.
- ``slots.FairSlots`` decides who runs next: a tenant waits for one job of another's, not for all.
"""

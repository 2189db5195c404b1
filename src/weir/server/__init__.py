"""The wiring: each process of a node is put together here, and nothing else knows every part.

``serve.py`` checks a directory and starts the supervisor (``supervise.py``), whose children are
``edge.py``, ``loader.py`` and ``api.py``; ``run_folder.py`` makes what they share, ``child.py`` is
what each begins and ends with, ``api_routes.py`` joins the api process's routes with what they ask.
Here the settings are taken apart: a part gets the values that it depends on.

At a start under load the last registry goes on while control state is unchanged
(``run_folder.py``), the loader answers before it has read all (``loader/run.py``), and edge workers
give way to the others (``ingest/giving_way.py``).

Exceptions: ``loader/build.py`` puts the loader's parts together behind the adapters that it gets
from here; the merge process starts in ``loader/upkeep``, the fork server of query workers in
``query/zygote.py``, both without the rest of the node.
"""

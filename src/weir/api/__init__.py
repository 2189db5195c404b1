"""The api process: what the node answers over HTTP beside events, and the operator's verbs.

An operation is a typed row (``operation.py``, over ``domain/described.py``) in a module of
``routes/``. Its route (``routing.py``), how a request is read and its wrong fields are named
(``reading.py``), ``/openapi.json`` (``openapi.py``, over all rows in ``table.py``) and
docs/reference/http.md follow from it.

``app.py`` is what the door relays; a route that needs a credential asks ``auth.py`` for its
principal. ``control_app.py`` serves the operator's verbs on ``run/control.sock``, where the
socket's permissions say who may ask; ``client.py`` calls the same rows, or runs them itself when
the node is stopped. ``run.py`` serves both in one loop.

An error leaves here once, as status and JSON (``replies.py``); a bug is logged and told without its
particulars (``shield.py``). Blocking work runs in threads.
"""

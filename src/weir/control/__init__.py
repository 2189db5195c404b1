"""Control state: plans, tenants, projects, keys, signing keys, and the rules that change them.

A noun is a module with a class (``keys.Keys``, ``tenants.Tenants``, …); ``service.ControlService``
opens them all over one database, ``control.db``, whose one writer holds ``control.lock``: the api
process, or a command while the node is stopped. Structs of what is asked and answered stand in
``records.py``, checks of input in ``checks.py``. ``store/`` has the tables, the transactions and
the registry that they lead to.

A change is one transaction that also counts the registry's epoch up; before it returns the new
registry is published, so it holds for the next request. One change runs at a time. A change that is
stored and could not be published raises ``Unavailable`` and is published later. Of a key only the
hash is stored. Nothing here knows HTTP or the command line.
"""

"""One node: its directory, its processes, and the channels by which they know of each other.

``directory.py`` says where everything lies, ``node_file.py`` which life of the node a directory
holds, ``databases.py`` whether what it needs is there and may be used. ``supervisor.py`` starts the
children and starts them again; ``process.py`` is what a child does first, ``damage.py`` how it says
that no start will help. ``listening.py`` and ``sockets.py`` make the sockets.

What processes share lies in ``run/``, is made anew at every start (the registry goes on while it is
that of the last change), and holds nothing that lasts:
``board.py`` (numbers), ``usage.py`` (events of the month), ``registry.py`` (tenants and keys, by
rename). No locks: each cell has one writer, and an aligned store of 8 bytes is seen whole.
"""

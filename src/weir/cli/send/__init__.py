"""``weir send``: files of events to a node, each event exactly once."""

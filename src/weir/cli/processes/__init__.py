"""A node, and its processes one by one."""

"""One node: its directory, its processes, and the channels by which they know of each other."""

"""From journals to the lake: read, decode, deduplicate, hold the tail, commit."""

"""Upkeep of the lake beside everything else: merging, scrubbing, removing."""

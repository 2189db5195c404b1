"""``weir backup`` and ``weir restore``."""

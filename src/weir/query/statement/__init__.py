"""What a statement may say, and what the engine runs in its place: pure, text in, text out.

``gate`` leads: ``parsing`` makes the tree, ``scopes`` and ``functions`` hold every name against
the lists, ``rewrite`` reads properties, ``pruning`` bounds times, ``acceleration`` uses columns.
"""

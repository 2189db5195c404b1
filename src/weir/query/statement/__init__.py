"""What a statement may say, and what the engine runs in its place: text in, text out.

``gate`` leads. ``parsing`` has the engine read the text, ``arrows`` decides what ``->`` is;
``nodes`` knows every part of the tree. ``scopes`` says which table a name means, ``policy`` and
``functions`` hold all against the lists. ``pruning`` bounds times, ``names`` names columns,
``rewrite`` reads properties (``paths``) as they are wanted (``wants``; ``written_out`` for short
forms), ``acceleration`` lets columns answer.
"""

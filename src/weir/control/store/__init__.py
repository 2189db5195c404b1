"""The database of control state: its tables, its transactions, the registry that it leads to."""

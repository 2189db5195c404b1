"""Tenants' SQL: the gate, sandboxed workers and their pool, result formats."""

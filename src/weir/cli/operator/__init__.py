"""The operator's commands: plans, tenants, projects, keys, tokens."""

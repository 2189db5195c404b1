"""Control state: plans, tenants, projects, keys and the rules that change them."""

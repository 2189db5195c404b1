"""Control state: tenants, projects, keys and the rules that change them."""

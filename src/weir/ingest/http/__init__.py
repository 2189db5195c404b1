"""HTTP at the door: connections, heads, bodies, routes, answers, TLS and the relay."""

"""Access tokens: signed, short-lived stand-ins for a key, with one of its scopes."""

"""The wiring: a module a process; nothing else knows every part."""

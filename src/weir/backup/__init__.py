"""Backup of a node, running or not, and restore; docs/formats/backup.md describes the bytes."""

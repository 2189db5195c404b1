"""The door: HTTP in, admission by one module per dialect, frames to the journal, replies out."""

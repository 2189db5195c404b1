"""DuckDB in processes of its own: settings, limits, sandbox; the only importer of duckdb."""

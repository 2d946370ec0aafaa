"""Pictures of the boards for the docs, from real runs; `python -m dashboards.pictures`, and nothing imports it."""

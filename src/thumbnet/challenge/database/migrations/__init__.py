"""Alembic's environment and the steps from schema to schema."""

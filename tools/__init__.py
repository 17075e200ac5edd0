"""Programs that keep the project itself."""

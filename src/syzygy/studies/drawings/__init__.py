"""From tables to figures: one noun a file."""

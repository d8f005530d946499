"""From trajectories and fits to tables: one noun a file."""

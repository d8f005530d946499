"""What larger studies claim, with its bounds, and how it is measured."""

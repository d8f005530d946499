"""From a string to a model: a file for each kind of source."""

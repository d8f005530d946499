"""What studies train that is no network of the catalogue."""

"""What happens to an event before the log: read, normalised, merged, routed into frames."""

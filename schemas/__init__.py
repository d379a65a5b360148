"""What is said: events in, the log's frames, the KPI catalogue, values out, topics and settings. Pure data."""

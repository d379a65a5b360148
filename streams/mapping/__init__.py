"""Files of events: NDJSON as it stands, CSV through a mapping."""

"""The conversion alert: statistics and state machine."""

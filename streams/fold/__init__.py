"""The deterministic fold: events to accounts and cells."""

"""Intake at work: a consumer group beside Faust."""

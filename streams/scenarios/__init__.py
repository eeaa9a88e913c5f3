"""Streams of events with known truth, and the files of events that are replayed."""

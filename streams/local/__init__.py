"""Servers of our own for the demo and the tests: Kafka and Valkey, as children of this program."""

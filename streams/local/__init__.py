"""Embedded servers for the demo and the tests: a real Kafka and a real Valkey."""

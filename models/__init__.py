"""What is known: pure columns in, columns out.

Imports no Faust, Kafka, Redis, Prometheus or HTTP; tests/models/test_purity.py proves it.
"""

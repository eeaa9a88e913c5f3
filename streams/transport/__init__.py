"""Batches through Faust: chunks instead of records, and a delivery ledger of our own."""

"""The live board: a page and the HTTP API behind it, from what a worker has put into Redis."""

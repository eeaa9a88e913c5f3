"""The same steps over a file, with no broker."""

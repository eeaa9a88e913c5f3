"""The commands, one file each; each file holds one `click.Command` named `command`.

A file is imported when its command is called for or listed, so it imports what is heavy (Faust,
polars, Kafka) inside its function: `hotspots --help` stays quick.
"""

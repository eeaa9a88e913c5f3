"""The Faust agents: one file each, each a thin shell around one pure step."""

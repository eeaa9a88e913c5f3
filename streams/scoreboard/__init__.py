"""What the figures of the docs rest on: each module measures one thing and returns its rows."""

"""Stage: what the release did to identity, movement and expression; figures."""

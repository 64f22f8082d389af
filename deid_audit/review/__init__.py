"""People in the loop: what reviewers decide about a render, in which order they look, and what follows from it."""

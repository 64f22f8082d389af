"""The self-test's steps: each runs in the worker, returns what it saw in words, and raises when that is not right."""

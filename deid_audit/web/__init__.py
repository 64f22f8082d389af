"""Pages for people at this machine: guarded, served on the loopback, and ended with the work."""

"""Stage: evidence to a signed PDF, and back."""

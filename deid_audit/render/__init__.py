"""Stage: paste a swapped face back, or conceal the region."""

"""The flows: each calls the stages in order and hands them what they need."""

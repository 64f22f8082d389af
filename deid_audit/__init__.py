"""deid-audit: release exam videos of patients with a donor's face, and the signed evidence for it."""

__version__ = "0.1.0"

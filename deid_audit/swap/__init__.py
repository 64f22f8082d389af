"""Stage: the per-pair face swap: networks, training, conversion."""

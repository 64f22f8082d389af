"""Whole data sets: one manifest, one case a subject, each case one call of the main job, and one certificate for all.

manifest, proposing            dataset.toml, and how a folder becomes one
sighting, checking, estimating what is looked at before anything runs
state, inputs                  what was done, in the steward's folder; when a case is done already
case, local, cluster, driving  one case; processes or Ray that work on cases; who hands them out
summary, statement, packaging, sealing, verifying   the set's evidence
"""

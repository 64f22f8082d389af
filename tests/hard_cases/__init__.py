"""Hard cases made by code, with their ground truth, and a checker of what a whole job made of them.

`people` are cut out of public-domain portraits and, where the real clips are there, of those; `scenes` puts them into
pictures and keeps the truth; `cases` says who moves how; `checking` holds a finished job against the truth.
"""

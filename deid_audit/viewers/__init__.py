"""Recognition by people: line-ups beside released clips, what viewers answered, and what that came to, as records.

The paper side of `deid-audit viewer-test`: numbers, digests and words. Pictures are named by keyed digests and never
copied; who sat before them is a code while the test lasts, and a row without a name in its result.
"""

METHOD_TEXT = (
    "Recognition by people (motivated intruder): each viewer saw every released video beside two line-ups of equally "
    "many pictures, in a random order, one with the subject's picture at a random place and one without, so that no "
    "face is shown more often than another; ranked all pictures by likeness, and said whether the person is among "
    "them. Found first means that the subject's picture was ranked first, whatever else was said: by guessing, 1 in as "
    "many as there are pictures. Who knows the subject is the steward's word; the two groups are never added up. The "
    "interval is Clopper and Pearson's with the viewers, not their line-ups, as the sample."
)

"""The words of the viewer test's pages: its templates hold none of their own."""

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    "title": "Who is in this clip?",
    "begin_title": "A new viewer",
    "begin_steward": "For the steward to fill in, before the viewer sits down.",
    "code": "Code of the viewer",
    "code_help": "Letters, digits and hyphens, 16 at most; never a name. The same code goes on with a test that was "
    "left.",
    "group": "Does this viewer know the person in the released videos?",
    "unfamiliar": "No",
    "familiar": "Yes: has met them, or seen them often",
    "group_help": "The steward answers this: the viewer is not told who it is. For viewers who know the subject, the "
    "other pictures must be of people they know as well; otherwise they pick the one face that they know.",
    "begin": "Begin",
    "instructions": "The face of the person in the clip may have been changed by a computer. Below are pictures of "
    "unchanged faces. The person of the clip may be among them, or may not. You are not told how you did.",
    "progress": "Line-up {at} of {count}",
    "clip": "The clip",
    "no_clip": "This browser cannot play the clip: call the steward.",
    "pictures": "The pictures",
    "rank_help": "Rank all pictures, the likeliest first, even where you have to guess: press the picture's number, or "
    "click it. Backspace takes the last one back.",
    "picture": "Picture {place}",
    "rank_of": "Rank of picture {place}",
    "unranked": "no rank",
    "among": "Is the person of the clip among the pictures?",
    "yes": "Yes",
    "no": "No, not in this line-up",
    "confidence": "How sure are you?",
    "guessed": "guessed",
    "certain": "certain",
    "next": "Next",
    "done_title": "Thank you",
    "done": "All line-ups are answered. Please call the steward.",
    "another": "Another viewer",
    "end": "End the test",
    "ended": "The test has ended, and all answers are kept. This page can be closed.",
    "bad_code": "This is no code: letters, digits and hyphens, 16 at most.",
    "bad_group": "Say whether the viewer knows the subject.",
    "sat": "The viewer with this code has answered everything.",
    "other_group": "The viewer with this code was said to be of the other group.",
    "bad_ranking": "Give every picture a rank of its own.",
    "bad_among": "Say whether the person is among the pictures.",
    "bad_confidence": "Say how sure you are.",
}

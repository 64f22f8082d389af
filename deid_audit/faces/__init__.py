"""Stage: who is where in a video, with landmarks, over time."""

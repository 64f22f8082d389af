"""Engine: videos in and out with exact timestamps (PyAV)."""

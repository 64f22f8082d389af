"""Engine: detectors, landmarks, pose and the recogniser."""

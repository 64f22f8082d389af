"""Voice: masking of the sound's speaker, and what the mask did to it, measured on the written file.

Between reading and writing. Arrays of samples in, arrays and measurements out; no file is opened here, and what is
said is neither looked at nor changed.
"""

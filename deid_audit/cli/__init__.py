"""The commands, one file each: parse, call the pipeline, print, exit code."""

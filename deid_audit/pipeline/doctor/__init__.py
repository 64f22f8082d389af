"""What this machine has, what is missing and the command that mends it, and a short self-test.

`examining` is the flow; `worker` keeps heavy libraries in a process of their own, so that a broken one ends that
process and not the examination.
"""

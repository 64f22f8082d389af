"""What `inspecting.py` puts together: people, hard stretches, expectations, the second look and the contact sheet."""

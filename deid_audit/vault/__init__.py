"""Stage: every artefact that can show or rebuild the subject is encrypted from birth, listed, destroyed and checked."""

from deid_audit.vault.checks import Check
from deid_audit.vault.child import Child
from deid_audit.vault.process import protect_process
from deid_audit.vault.resume import Checkpoint
from deid_audit.vault.vault import METHOD_TEXT, Vault

__all__ = ["METHOD_TEXT", "Check", "Checkpoint", "Child", "Vault", "protect_process"]

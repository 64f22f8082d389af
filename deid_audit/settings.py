"""The settings of one run, frozen and checked; the command line fills them, the statement records them."""

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deid_audit.errors import SettingsError

Device = Literal["auto", "cpu", "cuda"]
PresetName = Literal["auto", "micro64", "lite64", "original64", "hq128", "hq256"]
CASE_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RunSettings(BaseModel):
    """What `deid-audit run` was asked to do; `train_seconds` and `iterations` exclude each other."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    subjects: tuple[Path, ...] = Field(min_length=1)
    donors: tuple[Path, ...] = Field(min_length=1)
    policy: str
    out: Path
    case_id: str
    signer: Path | None = None
    passphrase_file: Path | None = None
    device: Device = "auto"
    preset: PresetName = "auto"
    train_seconds: float | None = Field(default=None, gt=0)
    iterations: int | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0)
    force: bool = False


def make_settings(**values: object) -> RunSettings:
    """RunSettings from the command line's values; raises SettingsError in the user's words."""
    case_id = values.get("case_id")
    if not isinstance(case_id, str) or not CASE_ID_PATTERN.fullmatch(case_id) or case_id.startswith("."):
        raise SettingsError(
            "--case-id must be 1 to 64 letters, digits, dots, underscores or hyphens, and not start with a dot",
            next_step="leave --case-id out to get a random one",
        )
    if values.get("train_seconds") is not None and values.get("iterations") is not None:
        raise SettingsError("--train-seconds and --iterations exclude each other", next_step="give one of them")
    try:
        return RunSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + "-".join(str(part) for part in first["loc"]).replace("_", "-")
        raise SettingsError(f"{option}: {first['msg']}", next_step="see deid-audit run --help") from None

"""One row of the catalogue, and what gathers them."""

from dataclasses import dataclass, field

# Every frame, file or check is counted: there is nothing that was drawn from more of its kind.
_COUNTED = {
    "coverage": "every frame is counted, nothing is sampled",
    "residue": "every frame is searched, nothing is sampled",
    "text": "every second is searched, nothing is sampled",
    "audit": "a fact of this audit; the known faces are two people's only",
    "erasure": "a fact, not a sample",
    "review": "every frame and stretch is counted, nothing is sampled",
    "voice": "the whole sound is heard, nothing is sampled",
    "motion": "a spectrum of a few windows cannot be resampled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One row of the catalogue; `unit` is what the certificate prints, `higher_is_better` is None for plain counts.

    `no_interval` says why there is never an interval; empty where there can be one.
    """

    name: str
    title: str
    unit: str
    low: float
    high: float | None
    higher_is_better: bool | None
    reference: str
    not_computable_when: str
    no_interval: str


@dataclass(slots=True)
class Rows:
    """The catalogue while it is gathered."""

    by_name: dict[str, Metric] = field(default_factory=dict)

    def add(
        self,
        name: str,
        title: str,
        unit: str,
        low: float,
        high: float | None,
        better: bool | None,
        reference: str,
        not_when: str,
        no_interval: str = "",
    ) -> None:
        """One more metric, its columns in order; what is counted whole has no interval."""
        self.by_name[name] = Metric(
            name=name,
            title=title,
            unit=unit,
            low=low,
            high=high,
            higher_is_better=better,
            reference=reference,
            not_computable_when=not_when,
            no_interval=no_interval or _COUNTED.get(name.split(".", maxsplit=1)[0], ""),
        )

"""The certificate's tables as rows of text: looks values up among the measurements, notes why one is missing.

Between the case record and the page template; nothing is computed here, and a value that was not measured never
becomes a blank.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from deid_audit.catalog import METRICS
from deid_audit.certificate.strings import (
    ATTACKS,
    IDENTITY_COLUMNS,
    KEYPOINT_METHODS,
    KEYPOINT_PAIRS,
    KEYPOINT_ROWS,
    OF_WORDS,
    PART_COLUMNS,
    PARTS,
    TABLES,
    TEXT,
)
from deid_audit.certificate.wording import interval, metric_title, missing, number
from deid_audit.findings import (
    SUBJECT_SCOPE,
    CaseRecord,
    LedgerRecord,
    Measurement,
    Of,
    Policy,
    TextRegion,
    video_scope,
)

_IDENTITY_ROWS: tuple[Of, ...] = ("swapped", "original", "donor", "reencoded", "blurred", "pixelated")


@dataclass(slots=True)
class Table:
    """Head and rows of text; `notes` are the reasons behind the marks in the cells, each once."""

    head: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def mark(self, note: str) -> str:
        """The mark of `note`, which joins the notes when it is new."""
        if note not in self.notes:
            self.notes.append(note)
        return f"[{self.notes.index(note) + 1}]"


class Values:
    """The measurements of a case, to be looked up by metric, what it is of, and scope."""

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self._rows = {(row.metric, row.of, row.scope): row for row in measurements}
        self._scopes = {row.scope for row in measurements}

    def scopes(self, videos: int) -> list[tuple[str, str]]:
        """(scope, heading) to print: each video, and all together before them when there are several."""
        single = [video_scope(n) for n in range(1, videos + 1) if video_scope(n) in self._scopes]
        together = [(SUBJECT_SCOPE, TABLES["together"])] if SUBJECT_SCOPE in self._scopes else []
        if len(single) == 1 or (videos == 1 and single):
            return [(single[0], "")]
        return together + [(scope, scope) for scope in single]

    def find(self, metric: str, of: Of, scope: str) -> Measurement | None:
        return self._rows.get((metric, of, scope))

    def cell(self, table: Table, metric: str, of: Of, scope: str) -> str:
        """The value as text, or the mark of the note that says why there is none."""
        row = self.find(metric, of, scope)
        if row is None:
            return "–"
        if row.value is None:
            return table.mark(missing(row))
        return number(metric, row.value)


def identity_table(values: Values, scope: str) -> Table:
    """Table 1: mean (standard deviation) of the descriptor distances, rows swapped, original, donor."""
    table = Table(head=("", *IDENTITY_COLUMNS.values()))
    for of in _IDENTITY_ROWS:
        at = SUBJECT_SCOPE if of == "donor" else scope  # the donor belongs to no video of the subject
        cells = [_mean_sd(values, table, column, of, at) for column in IDENTITY_COLUMNS]
        table.rows.append((OF_WORDS[of].capitalize(), *cells))
    return table


def _mean_sd(values: Values, table: Table, column: str, of: Of, scope: str) -> str:
    mean = values.cell(table, f"{column}.mean", of, scope)
    spread = values.find(f"{column}.sd", of, scope)
    return mean if spread is None or spread.value is None else f"{mean} ({number(f'{column}.sd', spread.value)})"


VIEWERS = tuple(f"viewers.{group}_{what}" for group in ("unfamiliar", "familiar") for what in ("rank1", "mean_rank"))


def list_table(
    values: Values, scope: str, metrics: Sequence[str], of: Of = "swapped", *, sample: str = TABLES["sample"]
) -> Table:
    """One metric a row: its title, its value, and how many frames (or faces; `sample` names them) it rests on."""
    table = Table(head=("", TABLES["value"], sample))
    for metric in metrics:
        row = values.find(metric, of, scope)
        count = str(row.sample_size) if row is not None and row.value is not None else "–"
        table.rows.append((metric_title(metric), values.cell(table, metric, of, scope), count))
    return table


# attacks that are made in two ways, of which the stronger counts
_LEARNT = ("LBPH", "Fisherfaces", "kNN", "LDA")


def attack_table(values: Values, scope: str) -> Table:
    """Each attack's chance, its interval, and the same attack on the re-encoded original, which must succeed."""
    heads = ("chance", "interval", "null_edit", "donor_before")
    table = Table(head=("", *(TABLES[one] for one in heads)))
    for metric, title in ATTACKS.items():
        row = values.find(metric, "swapped", scope)
        detail = {} if row is None else row.detail
        controls = (
            number(metric, detail[name]) if name in detail else "–" for name in ("null_edit", "donor_before_swap")
        )
        found = detail.get("strangers_found")  # the inversion's own control: how well it works at all
        works = "" if found is None else TABLES["strangers_found"].format(chance=number(metric, found))
        several = [f"{one} {number(metric, detail[f'{one}: chance'])}" for one in _LEARNT if f"{one}: chance" in detail]
        if several and "imitated" in detail and metric != "attack.parrot.auc":  # the parrot's has a row of its own
            several.append(TABLES["imitated"].format(chance=number(metric, detail["imitated"])))
        works += f" ({', '.join(several)})" if several else ""
        table.rows.append((title + works, values.cell(table, metric, "swapped", scope), interval(row), *controls))
    return table


def interval_table(values: Values, scope: str, policy: Policy) -> Table:
    """What the policy asks for in this scope: the value, its 95 % interval and clusters, or why there is none."""
    table = Table(head=("", TABLES["value"], TABLES["interval"]))
    for metric, of in dict.fromkeys((rule.metric, rule.of) for rule in policy.rules):
        row = values.find(metric, of, scope)
        if row is None or (row.value is not None and METRICS[metric].no_interval):
            continue
        table.rows.append((metric_title(metric), values.cell(table, metric, of, scope), interval(row)))
    return table


def keypoint_table(values: Values, scope: str) -> Table:
    """Table 2: COCO keypoint evaluation of every method against the original's keypoints."""
    table = Table(head=("", *KEYPOINT_METHODS.values()))
    for metric, title in KEYPOINT_ROWS.items():
        table.rows.append((title, *(values.cell(table, metric, of, scope) for of in KEYPOINT_METHODS)))
    return table


def keypoint_error_table(values: Values, scope: str) -> Table:
    """Median error in px of each single keypoint, left / right, of the released video and of the null edit."""
    metric = "keypoints.error_px.median"
    table = Table(head=(TABLES["keypoint_errors"], TABLES["nose"], *KEYPOINT_PAIRS.values()))
    shown: tuple[Of, ...] = ("swapped", "reencoded")
    for of in shown:
        title = OF_WORDS[of].capitalize()
        row = values.find(metric, of, scope)
        if row is None or row.value is None:
            mark = "–" if row is None else table.mark(missing(row))
            table.rows.append((title, mark, *(mark for _ in KEYPOINT_PAIRS)))
            continue
        texts = {name: f"{value:.1f}" for name, value in row.detail.items()}
        pairs = (f"{texts.get(f'left {one}', '–')} / {texts.get(f'right {one}', '–')}" for one in KEYPOINT_PAIRS)
        table.rows.append((title, texts.get("nose", "–"), *pairs))
    return table


def keypoint_words(values: Values, scope: str) -> tuple[str, bool]:
    """With what the keypoints were found, and whether that smooths movement over time."""
    row = values.find("keypoints.error_px.median", "swapped", scope)
    method = "" if row is None else row.method.rpartition("frame; ")[2]
    return method, "video mode" in method or not method


def expression_table(values: Values, scope: str) -> Table:
    """Movement of the face's parts, with the error of the null edit where it was measured."""
    table = Table(head=("", *PART_COLUMNS.values()))
    for part, title in PARTS.items():
        cells = []
        for column in PART_COLUMNS:
            metric = f"expression.{part}_{column}"
            row = values.find(metric, "swapped", scope)
            floor = (
                "" if row is None or row.noise_floor is None else f" ({number(metric, row.noise_floor, unit=False)})"
            )
            cells.append(values.cell(table, metric, "swapped", scope) + floor)
        table.rows.append((title, *cells))
    return table


TEXT_METRICS = ("text.regions_left",)
_LISTED_TEXT = 12
_QUALITY = ("flicker", "seam", "colour", "colour_drift", "sharpness", "ssim_outside", "ssim_outside_worst")


def quality_table(values: Values, scope: str) -> Table:
    """Flicker, seam, colour and sharpness of the swapped face and the picture around, each beside the null edit's."""
    table = Table(head=("", KEYPOINT_METHODS["swapped"], TABLES["null_edit"], TABLES["sample"]))
    for name in _QUALITY:
        metric = f"quality.{name}"
        row = values.find(metric, "swapped", scope)
        known = row is not None and row.value is not None
        floor = "–" if row is None or row.noise_floor is None else number(metric, row.noise_floor)
        sample = str(row.sample_size) if row is not None and known else "–"
        table.rows.append((metric_title(metric), values.cell(table, metric, "swapped", scope), floor, sample))
    return table


def ledger_table(ledger: LedgerRecord, scope: str) -> Table:
    """The ledger of one video in counts: frames by state, face regions by rung, and who decided."""
    table = Table(head=(TABLES["ledger"], TABLES["count"]))
    video = next(one for at, one in enumerate(ledger.videos, start=1) if video_scope(at) == scope)
    states = " + ".join(f"{count} {state}" for state, count in _most_first(video.states) if count)
    table.rows.append((TABLES["ledger_frames"].format(states=states or TEXT["none"]), str(video.frames)))
    rungs = " + ".join(f"{count} {rung}" for rung, count in _most_first(video.rungs))
    table.rows.append((TABLES["ledger_regions"].format(rungs=rungs or TEXT["none"]), str(video.regions)))
    for words, counts in (("ledger_decided", video.decided_by), ("ledger_cleared", video.cleared_by)):
        table.rows += [(TABLES[words].format(who=who), str(count)) for who, count in _most_first(counts)]
    return table


def text_table(found: Sequence[TextRegion], scope: str) -> Table:
    """Burned-in text of one video: where and when it stands, and whether it was covered; what is left comes first."""
    table = Table(head=(TABLES["text_place"], TABLES["text_frames"], TABLES["text_state"]))
    mine = sorted((one for one in found if video_scope(one.video) == scope), key=lambda one: one.covered)
    for one in mine[:_LISTED_TEXT]:
        state = TABLES["text_covered" if one.covered else "text_left"]
        place = ", ".join(str(edge) for edge in one.box_xyxy)
        table.rows.append((place, f"{one.first_frame}–{one.last_frame}", state))
    if len(mine) > _LISTED_TEXT:
        table.rows.append((TABLES["text_more"].format(count=len(mine) - _LISTED_TEXT), "", ""))
    return table


_VOICE = ("sound", "same_wave", "distance", "pitch_moved", "formants_moved", "envelope_r", "rate_ratio", "lag_ms")
_SOUNDS = ("sound_none", "sound_masked", "sound_kept")
_CODES: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "sound": ("voice_sound", lambda code: TABLES[_SOUNDS[round(code)]]),
    "pitch_moved": ("voice_pitch_moved", lambda code: TABLES["moved"] if code else TABLES["not_moved"]),
    "formants_moved": ("voice_formants_moved", lambda count: TABLES["of_three"].format(count=count)),
}


def voice_table(values: Values, scope: str) -> Table:
    """What became of the voice; what is a code in the statement is a word here."""
    table = list_table(values, scope, [f"voice.{name}" for name in _VOICE])
    for at, name in enumerate(_VOICE):
        row = values.find(f"voice.{name}", "swapped", scope)
        if name in _CODES:
            title, words = _CODES[name]
            cell = table.rows[at][1] if row is None or row.value is None else words(row.value)
            table.rows[at] = (TABLES[title], cell, table.rows[at][2])
    return table


def _most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """In an order of their own: a statement keeps none."""
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


def search_words(values: Values) -> str:
    """What the written file was searched with; families are those that neither swapped nor cleared."""
    row = values.find("audit.looks", "run", "run")
    return TABLES["not_recorded"] if row is None else row.method or missing(row)


_CANARY = re.compile(r"(?P<kind>.+) (?P<px>\d+) px: pasted")


def canary_table(values: Values) -> Table:
    """How many of the known faces the audit found, by kind and by height of the face; empty when none was pasted."""
    row = values.find("audit.canary_recall", "run", "run")
    detail = {} if row is None else row.detail
    pasted = {(m["kind"], int(m["px"])): n for key, n in detail.items() if (m := _CANARY.fullmatch(key)) and n}
    heights = sorted({px for _, px in pasted})
    table = Table(head=(TABLES["canaries"], *(f"{px} px" for px in heights)))
    for kind in dict.fromkeys(kind for kind, _ in pasted):
        cells = [
            TABLES["canaries_found"].format(found=detail.get(f"{kind} {px} px: found", 0), pasted=pasted[kind, px])
            if (kind, px) in pasted
            else "–"
            for px in heights
        ]
        table.rows.append((kind.capitalize(), *cells))
    return table


def gallery_match_words(values: Values, scope: str) -> str:
    """The cut of the gallery match with its error rates; empty when it was not measured."""
    row = values.find("residue.gallery_matches", "swapped", scope)
    if row is None or row.value is None or "cut" not in row.detail:
        return ""
    return TABLES["cut"].format_map(row.detail)


def gallery_words(values: Values, scope: str) -> str:
    """How near a released face comes to any of the subject's originals, with the cut's own false match rate."""
    row = values.find("identity.to_gallery.p01", "swapped", scope)
    if row is None or row.value is None:
        return "" if row is None else missing(row)
    detail = row.detail
    cut = f"{detail.get('cut', 0.6):g}"
    words = [TABLES["gallery_p01"].format(value=number(row.metric, row.value))]
    if "share_below" in detail:
        words.append(TABLES["gallery_below"].format(share=detail["share_below"], cut=cut))
    if "false_match_rate" in detail:
        others = {"donor_frames": "donor", "stranger_frames": "strangers", "strangers": "strangers"}
        used = [
            TABLES["gallery_whose"].format(count=detail[key], who=TABLES[who])
            for key, who in others.items()
            if detail.get(key)
        ]
        whose = f" ({', '.join(used)})" if used else ""
        words.append(TABLES["gallery_rate"].format(rate=detail["false_match_rate"], whose=whose))
    return "; ".join(words) + "."


def video_rows(case: CaseRecord) -> list[tuple[str, ...]]:
    """Originals, donors and written videos in numbers; metadata by count only, originals by keyed digest."""
    rows: list[tuple[str, ...]] = []
    for facts in (*case.originals, *case.donors, *case.rendered):
        left = facts.inventory
        streams = f"{left.audio_streams} / {left.subtitle_streams} / {left.data_streams} / {len(left.metadata_keys)}"
        rate = TEXT["rate_variable" if facts.variable_rate else "rate_constant"]
        rows.append(
            (
                facts.label,
                f"{facts.width} × {facts.height}"
                + (TEXT["turned"].format(degrees=facts.rotation) if facts.rotation else ""),
                TEXT["frame_words"].format(count=facts.frame_count, seconds=facts.duration_s, rate=rate),
                facts.codec + (TEXT["interlaced"] if facts.interlaced else ""),
                streams,
                facts.keyed_digest or TEXT["in_pack" if facts in case.donors else "in_list"],
            )
        )
    return rows

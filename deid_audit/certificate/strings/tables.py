"""The heads and row titles of the certificate's tables that are not titles of the catalogue."""

from collections.abc import Mapping
from types import MappingProxyType

from deid_audit.findings import Of

TABLES: Mapping[str, str] = MappingProxyType({
    "value": "Value",
    "sample": "Sample",
    "chance": "Chance",
    "interval": "95 % interval (clusters)",
    "null_edit": "Null edit",
    "donor_before": "Donor before the swap",
    "imitated": "with the donor's mean face pasted on instead {chance}",
    "strangers_found": " (finds left-out strangers with a chance of {chance})",
    "keypoint_errors": "Median error in px, left / right",
    "nose": "Nose",
    "ledger": "The ledger",
    "count": "Count",
    "ledger_frames": "Frames decoded = {states}",
    "ledger_regions": "Face regions = {rungs}",
    "ledger_decided": "Face regions decided by {who}",
    "ledger_cleared": "Frames without a face, cleared by {who}",
    "not_recorded": "not recorded",
    "canaries": "Found of pasted",
    "canaries_found": "{found:g} of {pasted:g}",
    "together": "all videos together",
    "cut": "The cut is {cut:.2f}: {false_match_rate:.1%} of {stranger_faces:g} faces of other people come nearer to "
    "some original of the subject, and {true_match_rate:.1%} of {own_originals:g} originals come nearer to another "
    "one.",
    "gallery_p01": "1st percentile {value}",
    "gallery_below": "{share:.1%} of the released faces are nearer than {cut}",
    "gallery_rate": "the cut's false match rate is {rate:.1%}: so many faces of other people{whose} are nearer than "
    "it too, and being nearer is in itself no match with the subject",
    "gallery_whose": "{count:g} of the {who}",
    "text_place": "Where (px: left, top, right, bottom)",
    "text_frames": "Frames",
    "text_state": "What was done",
    "text_covered": "covered with black",
    "text_left": "left as it is",
    "text_more": "and {count} more, in the statement",
    "original": "Original",
    "released": "Released",
    "lost": "lost {note}",
    "between": "{value} ({low} to {high})",
    "kappa_linear": "Kappa, linear weights",
    "kappa_quadratic": "Kappa, quadratic weights",
    "pairs": "Pairs of scores",
    "all_items": "All items",
    "item": "Item {item}",
    "not_done": "not done",
    "voice_sound": "Sound in the released file",
    "voice_pitch_moved": "Median pitch, by 1.5 semitones or more (by how much is secret)",
    "voice_formants_moved": "Lowest three formants, moved by 5 % or more (by how much is secret)",
    "sound_none": "none",
    "sound_masked": "voice masked",
    "sound_kept": "as it was",
    "moved": "moved",
    "not_moved": "not moved",
    "of_three": "{count:g} of 3",
    "donor": "donor",
    "strangers": "strangers",
})  # fmt: skip

IDENTITY_COLUMNS: Mapping[str, str] = {
    "identity.intra_subset": "Intra-subset",
    "identity.to_original": "To original (same frame)",
    "identity.to_average_original": "To average original",
    "identity.to_donor": "To average donor",
}
KEYPOINT_METHODS: Mapping[Of, str] = {
    "swapped": "Swapped",
    "masked": "Masked",
    "blurred": "Blurred",
    "pixelated": "Pixelated",
    "reencoded": "Null edit = noise floor",
}
KEYPOINT_ROWS: Mapping[str, str] = {
    "keypoints.ap": "AP (OKS 0.50:0.95)",
    "keypoints.ap50": "AP at OKS 0.50",
    "keypoints.ap75": "AP at OKS 0.75",
    "keypoints.ap95": "AP at OKS 0.95",
    "keypoints.ar": "AR (OKS 0.50:0.95)",
    "keypoints.ar50": "AR at OKS 0.50",
    "keypoints.ar75": "AR at OKS 0.75",
    "keypoints.ar95": "AR at OKS 0.95",
    "keypoints.oks_ge_95": "Share of all frames with OKS ≥ 0.95",
    "keypoints.error_px.median": "Error, median",
    "keypoints.error_px.p95": "Error, 95th percentile",
    "keypoints.error_torso.median": "Error of the torso's length, median",
    "keypoints.error_torso.p95": "Error of the torso's length, 95th percentile",
    "keypoints.error_interocular.median": "Error of the eyes' distance, median",
    "keypoints.error_interocular.p95": "Error of the eyes' distance, 95th percentile",
    "keypoints.detection_change": "Person found, change of the share of frames",
}
KEYPOINT_PAIRS: Mapping[str, str] = {
    "eye": "Eyes",
    "ear": "Ears",
    "shoulder": "Shoulders",
    "elbow": "Elbows",
    "wrist": "Wrists",
    "hip": "Hips",
    "knee": "Knees",
    "ankle": "Ankles",
}
PARTS: Mapping[str, str] = {
    "mouth": "Mouth opening",
    "eye": "Eye opening",
    "brow": "Brow height",
    "yaw": "Head turn (yaw)",
}
PART_COLUMNS: Mapping[str, str] = {
    "mae": "Mean absolute error",
    "r": "Correlation over time",
    "range_ratio": "Range, released over original",
    "offset": "Median offset (anatomy)",
}
ATTACKS: Mapping[str, str] = {
    "attack.descriptor.auc": "A0 dlib's recogniser, every frame",
    "attack.templates.auc": "A2 the same on averages of frames, the worst size",
    "attack.texture.auc": "A1 texture of the face alone (LBPH or Fisherfaces, the stronger)",
    "attack.model.auc": "A1 the recogniser that was named (--attacker)",
    "attack.parrot.auc": "A3 a parrot: learnt from imitations of the swap (kNN or LDA, the stronger)",
    "attack.parrot.imitated": "A3's second control: imitations, which show no face of the subject",
    "attack.inversion.auc": "A4 an outsider's inversion of the swap, learnt on strangers",
    "attack.strongest.auc": "The strongest of them",
    "identity.outside.auc": "A5 what is left outside the mask, against the people of these videos",
}

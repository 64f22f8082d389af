"""Metrics of who is recognised: Table 1 with its tails, controls and attacks."""

from deid_audit.catalog.rows import Rows

_DLIB = "dlib 128-D face descriptor, Euclidean; Zhu et al. 2020 (doi 10.1145/3375627.3375849) section 2.5"
_NO_FACE = "no frame pair in which both faces could be described"
_NO_DRAW = {
    "sd": "the spread is printed beside its mean, which has an interval",
    "p01": "drawing again cannot show a tail worse than the one seen; see the share of seconds below the cut",
    "min": "a smallest value has no interval by resampling",
    "longest_run_below_frames": "a run has no interval by resampling, which breaks it up",
}


def add_rows(rows: Rows) -> None:
    """Adds these metrics to the catalogue."""
    add = rows.add
    for stat, title, unit in (
        ("mean", "mean distance to the same frame's original", "distance"),
        ("sd", "standard deviation of the distance to the same frame's original", "distance"),
        ("p01", "1st percentile of the distance to the same frame's original", "distance"),
        ("min", "smallest distance to the same frame's original", "distance"),
        ("longest_run_below_frames", "longest run of frames nearer than 0.6 to their original", "frames"),
        ("seconds_below", "share of seconds with a frame nearer than 0.6 to its original", ""),
    ):
        better = None if stat == "sd" else stat not in ("longest_run_below_frames", "seconds_below")
        high = 1 if stat == "seconds_below" else None
        add(f"identity.to_original.{stat}", title, unit, 0, high, better, _DLIB, _NO_FACE, _NO_DRAW.get(stat, ""))
    add(
        "identity.to_gallery.p01",
        "1st percentile of the distance to the nearest of all the subject's original frames",
        "distance",
        0,
        None,
        True,
        _DLIB,
        _NO_FACE,
        _NO_DRAW["p01"],
    )
    around = "dlib 128-D descriptor of chips whose face is filled in grey; compare arXiv 1902.06967 on masks"
    for stat, title, unit, high in (
        (
            "to_original.mean",
            "around the face: mean distance to the nearest original of another moment",
            "distance",
            None,
        ),
        ("to_original.p01", "around the face: 1st percentile of the same", "distance", None),
        ("auc", "around the face: chance that the subject is nearer than other people", "", 1),
    ):
        nothing = "fewer than 5 swapped frames or, for the chance, fewer than 5 frames of other people"
        add(
            f"identity.outside.{stat}",
            title,
            unit,
            0,
            high,
            stat != "auc",
            around,
            nothing,
            _NO_DRAW["p01"] if "p01" in stat else "",
        )
    for column, words, better in (
        ("to_average_original", "distance to the subject's average original", True),
        ("to_donor", "distance to the donor's average", False),
        ("intra_subset", "distance to the subset's own average", None),
    ):
        add(f"identity.{column}.mean", f"mean {words}", "distance", 0, None, better, _DLIB, _NO_FACE)
        sd = f"standard deviation of the {words}"
        add(f"identity.{column}.sd", sd, "distance", 0, None, None, _DLIB, _NO_FACE, _NO_DRAW["sd"])
    add(
        "identity.roc_auc",
        "area under the ROC: nearer the average donor than the average original",
        "",
        0,
        1,
        True,
        _DLIB,
        _NO_FACE,
    )

    add(
        "control.same_person",
        "share of the subject's originals that find another original of theirs: another video's or moment's",
        "",
        0,
        1,
        True,
        _DLIB,
        "fewer than 20 originals that could be described",
        "the subject's own pictures, a control of the recogniser",
    )
    gallery = "identification in a gallery with one entry a person; attackers as in arXiv 2304.01635"
    few_people = "fewer than 5 strangers (--strangers)"
    add(
        "identity.to_strangers.mean",
        "mean distance to other people's average originals: the stranger floor",
        "distance",
        0,
        None,
        None,
        _DLIB,
        few_people,
        "printed beside the chance of the same search",
    )
    for attack, words, reference in (
        ("descriptor", "dlib's recogniser, frame by frame", _DLIB),
        ("templates", "dlib's recogniser on averages of 1 to all frames, the worst", "NISTIR 8173 (faces in video)"),
        (
            "texture",
            "local binary patterns or Fisherfaces of the face alone, the stronger",
            "Ahonen et al. 2006 (doi 10.1109/TPAMI.2006.244), Belhumeur et al. 1997 (doi 10.1109/34.598228)",
        ),
        ("model", "the recogniser that the user named (--attacker)", "arXiv 1801.07698 for its alignment"),
        (
            "inversion",
            "an outsider's inversion of the swap, learnt on strangers",
            "arXiv 2210.10651, 2412.07260 and 2207.03666, in small",
        ),
        ("strongest", "the strongest of these attacks on the face", gallery),
    ):
        title = f"chance that the subject is nearer than a stranger: {words}"
        add(f"attack.{attack}.auc", title, "", 0, 1, False, reference, few_people)
    parrot = "parrot recognition: Newton et al. 2005 (doi 10.1109/TKDE.2005.32), arXiv 1609.00408"
    not_heard = (
        "another tool's swap or an earlier job's, a preset without a mean face, fewer than 10 strangers with 2 "
        "pictures (--strangers), or an unprotected face that is not found"
    )
    blind = f"{not_heard}; or imitations without the face are found as well"
    for stat, title, better, not_when in (
        ("auc", "chance that the subject is nearer than a stranger: learnt from imitations of the swap", False, blind),
        ("rank1", "share of swapped frames that a learner of imitations takes for the subject's", False, blind),
        ("excess", "the same over guessing: 0 guesses, 1 always finds", False, blind),
        (
            "imitated",
            "chance that an imitation is taken for the subject's: hair, outline, light and pose, no face",
            None,
            not_heard,
        ),
    ):
        add(f"attack.parrot.{stat}", title, "", -1 if stat == "excess" else 0, 1, better, parrot, not_when)
    beside = "printed beside the chance of the same search, which has one"
    for stat, title, better, not_when in (
        ("rank1", "share of swapped frames that find the subject first in the gallery", False, few_people),
        (
            "rank5",
            "share of swapped frames that find the subject among the first five",
            False,
            "fewer than 10 strangers",
        ),
        ("excess", "share that find the subject first, over guessing: 0 guesses, 1 always finds", False, few_people),
        (
            "fnir",
            "share of swapped frames that do not find the subject at 3 false alarms in 1000 searches",
            True,
            "fewer than 334 strangers",
        ),
    ):
        low = -1 if stat == "excess" else 0
        add(f"attack.descriptor.{stat}", title, "", low, 1, better, gallery, not_when, beside)
    add(
        "attack.insider.match_rate",
        "share of released faces that the subject's decoder brings back, before it is destroyed",
        "",
        0,
        1,
        None,
        "this tool's own model; compare Zhu et al. 2020 section 3.3",
        "no model of this run",
        "what destroying the model takes away, a control of that",
    )

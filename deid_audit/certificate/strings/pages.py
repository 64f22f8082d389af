"""The fixed words of the certificate's pages: headings, captions, sentences, heads of columns."""

from collections.abc import Mapping
from types import MappingProxyType

TEXT: Mapping[str, str] = MappingProxyType({
    # -- every page, and the document itself
    "language": "en",
    "document_title": "deid-audit certificate, case {case_id}: {verdict}",
    "first_bookmark": "{verdict}: case {case_id}",
    "running_title": "deid-audit certificate",
    "running_case": "certificate of case ",
    "running_statement": "statement sha256 {digest}…",
    "running_page": "page ",
    "running_of": " of ",
    "pointer_page": ", page ",
    "statement_description": "The statement: what the issuer says about this case, for machines (in-toto Statement v1)",
    # -- the first page
    "issued": "issued {issued_at}",
    "tool": "deid-audit {version}",
    "tally_rules": "{count} rules.",
    "tally_of_one": "{words}: {count}.",
    "tally_answers": "Answers asked for: {count}. Missing or not accepted: {missing}.",
    "unverified_head": "Issuer not verified: the key was made on the spot.",
    "unverified": "Anyone can make such a key. The signature shows that this document was not changed since it was "
    "signed; it does not show who issued it.",
    "signed_by": "Signed by",
    "fingerprint": "certificate fingerprint (sha256) {digest}",
    "signer_until": "certificate valid until {until};",
    "compare_fingerprint": "compare the fingerprint with one the issuer gave you by another way",
    "issuer_not_verified": "issuer not verified",
    "policy": "Policy",
    "policy_words": "{id}, version {version}: {title}",
    "sha256": "sha256 {digest}",
    "five": "Five numbers",
    "five_intro": "Each of the worst video, with the limit that the policy sets. All other numbers:",
    "five_what": "What was measured",
    "five_value": "Value",
    "five_interval": "95 % interval",
    "five_limit": "Limit",
    "five_outcome": "Outcome",
    "five_no_interval": "none",
    "five_no_limit": "none set",
    "five_not_gated": "reported only",
    "five_not_measured": "not measured",
    "five_absent": "does not apply",
    "five_nowhere": "this job does not compute it",
    "five_null_edit": "The original, only encoded again: {value}.",
    "five_null_edit_unknown": "The original, only encoded again: not measured.",
    "five_unprotected": "The same attack on the unprotected face: {value}.",
    "untested": "What was not tested",
    "untested_intro": "Each of these may still point to the subject. In full:",
    "untested_more": "and {count} more",
    "valid_until": "Valid until",
    "valid_until_means": "by its steward's word; after that day nothing may be released on it.",
    "reach": "How far this goes",
    "reach_subject": "One subject was examined, and these videos only.",
    "reach_bound": "With no failure in one subject, the failure rate among subjects may still be as high as {bound} "
    "(upper end of the 95 % interval).",
    "contents": "Contents",
    "annex": "annex {letter}",
    "annex_heading": "Annex {letter}. {title}",
    # -- annex A: rules
    "number": "No.",
    "rule": "Rule",
    "observed": "Observed",
    "limit": "Limit",
    "where": "Where",
    "outcome": "Outcome",
    "nowhere": "nowhere",
    "metric_of": "{metric}, {of}",
    "none": "none",
    # -- annex B: what was not assessed
    "not_assessed_intro": "None of the following was assessed, beyond what an item itself says was measured or tried. "
    "Each of them may still point to the subject. What the steward says of some of them stands, unchecked, in "
    "{questions}.",
    # -- annex C: measurements
    "measurements_intro": "All values are of the written file, decoded again. “–” stands where a number is not "
    "computed for a row; a number in brackets points to the reason why there is no value.",
    "identity": "Table 1. Identity, distance of face descriptors",
    "identity_caption": "Mean (standard deviation) of the Euclidean distance of dlib's 128-D descriptors. Two photos "
    "of one person are usually nearer than 0.6; the released face should be farther than that from the subject and "
    "near to the donor. Row “original”: the subject before the swap; row “donor”: the donor before the swap. Null "
    "edit, blurred and pixelated: a few frames each, described under the original's landmarks; a mask shows no face "
    "to describe.",
    "outside_caption": "Around the face: hair line, ears, neck and room, with the face filled in grey. The distances "
    "are small since the grey is alike: 0.6 means nothing here. A chance of 0.5 would tell nothing; near 1, what is "
    "left outside the swap tells the subject from the other people in these videos.",
    "gallery": "Nearest of all the subject's originals.",
    "attacks": "Attacks: is the subject nearer than a stranger?",
    "attacks_caption": "An intruder has a gallery of the subject and strangers and searches it with what was "
    "released. 0.5 tells nothing, 1 gives the subject away. The null edit, an unprotected face, must come out near 1, "
    "or the attack is no test. Imitations have the donor's mean face pasted on the subject, whose face they do "
    "not show: A3 learns from them, A1 is tried on them; where they are found, too, it is outline, hair, light, pose "
    "or camera that tells. The donor's own face shows how like the "
    "subject the donor was before.",
    "insider_caption": "The last row is the insider's case: the model of this run, before it was destroyed, applied "
    "to the released face.",
    "viewers": "Recognition by people: the subject in line-ups",
    "viewers_sample": "viewers",
    "viewers_caption": "A test by people with these very files. Viewers who know the subject and viewers who do not "
    "are never added up; who did not answer everything does not count. What guessing gives, and the intervals, stand "
    "with the board's questions.",
    "keypoints": "Table 2. Body keypoints, compared with the original's",
    "keypoints_caption": "COCO keypoint evaluation with the original's detected keypoints as ground truth; 1 is best. "
    "Masked, blurred and pixelated are the alternatives on the same faces. The null edit is the original through the "
    "same encoder with nothing swapped: no method can be expected above it. Errors are distances to the original's "
    "keypoint in the same frame, over all keypoints that the original shows; they are reported, not gated.",
    "keypoints_found": "Found with {method}.",
    "keypoints_smoothed": "Pose detection in video mode smooths movement over time, so Table 2 is blind to fast "
    "movement such as tremor.",
    "expression": "Expression and head tremor",
    "expression_caption": "Errors and offsets in % of the distance between the eyes, for the head turn in degrees. "
    "The error is taken after the median offset is removed, in brackets the null edit's own value where there is one; "
    "the offset comes from the difference in anatomy and is not gated.",
    "quality": "Appearance of the swapped face",
    "quality_caption": "Measured on the released file against the original in the same frames. The null edit is the "
    "original through the same encoder with nothing swapped. A colour difference (delta E) under 1 is not seen, from "
    "2 anyone sees it side by side, from 3.5 it is clear.",
    "intervals": "How far these numbers would vary",
    "intervals_caption": "95 % intervals of what the policy asks for, by drawing whole clusters again: the seconds of "
    "one video, or whole videos. They say how the numbers vary with the moments of these videos. They say nothing "
    "about other subjects. What is counted frame by frame has no interval.",
    "coverage": "Coverage, what was done about every frame",
    "residue": "Residue, what is left in the written file",
    "voice": "Sound of the released file",
    "voice_halves": "The same distance between the halves of the original's own voice:",
    "voice_caption": "The distance is that of mel cepstra, a classical measure, beside the one between the original's "
    "own halves: a recogniser of today hears more. What is said, the accent, the intonation and the pace are not "
    "anonymised, and sound is not muted where a face is covered.",
    "gallery_matches": "Matches with any original.",
    "burned_in": "Burned-in text",
    "burned_in_caption": "Standing lines of printed text, found by the shapes of letters; nothing was read. Of 140 "
    "lines burned into 35 real clips for a test, with letters of 10 to 40 px, the search found 136 before it was made "
    "stricter, and since then all 32 that were tried in 16 of the clips (its limits were set on some of them): a line "
    "can be missed, and what is listed need not be text. It does not see handwriting, slanted or upright lines, text "
    "that moves or stands for less than a second (two, where it is faint), fewer than four letters, letters of "
    "less than 8 px, or tattoos.",
    "ledger": "The ledger says of every frame and every face what was done, why and by whom. It is the steward's file "
    "audit/frames.csv, sha256",
    "audit": "What the audit itself would have seen",
    "searched": "Searched with.",
    "canaries_caption": "Two known faces, pasted in memory into copies of these videos' frames where no other face "
    "is. The height is that of the face without hair. A face smaller or harder than those found here may have been "
    "missed.",
    # -- annex D: what an examination shows
    "exam_intro": "For the clinician: what the original shows of an examination, and whether the released video still "
    "shows it, in the frames whose face is swapped. It measures a flat picture by landmarks and diagnoses nothing; "
    "left and right are the subject's. Hands, fingers and toes are not looked at here, and the body only where the "
    "detector of its keypoints does not smooth over time: deid-audit motion looks at them in the two videos.",
    "exam_followed": "What is still there",
    "exam_followed_caption": "A blink is kept where the released lids, within a frame of it, come down at least half "
    "as far as the original's, each from its own open level: half-closed can still count, so see the depth, and below "
    "how many closings are full blinks. A correlation of 1 follows exactly. The null edit is the original, only "
    "encoded again: no method can be expected above it.",
    "exam_measures": "What an examination measures",
    "exam_caption": "In brackets an interval of 95 %, where one can be given. Ranges go from the 5th to the 95th "
    "percentile, in % of the distance between the outer eye corners; the donor's anatomy changes them, too. Lost: the "
    "original shows it, the released video no longer does; the note says why. Of a jaw tremor the "
    "landmarks see less on a swapped face: on three clips made by code its frequency stayed, and about half of its "
    "amplitude.",
    "exam_ratings": "Clinicians' ratings",
    "exam_ratings_caption": "Weighted kappa of the released clips' scores against the originals', from a table of the "
    "steward's; 1 is full agreement, 0 that of chance. Whether raters were blinded and clips shuffled cannot be seen "
    "in a table.",
    "exam_no_ratings": "Blinded rating of original and released clips by clinicians: {reason}.",
    # -- annex E: figures
    "review": "Review by people",
    "review_none": "Not done: nobody was asked to look at these videos.",
    "review_reading": "{role}, {reviewer}, {started} to {finished}: {shown} of {frames} frames shown; {decisions}.",
    "review_no_decision": "no decision",
    "review_seen": "The reader who was shown the fewest frames was shown {shown} of {frames} as they are released.",
    "review_kappa": "Agreement of the two readings, before anything was changed: Cohen's kappa {kappa} over "
    "{stretches} stretches.",
    "review_no_kappa": "Agreement of two readings: none; {why}.",
    "review_open": "Differences that nobody resolved, so that the stricter counted: {unresolved}. Decisions that were "
    "not carried out: {refused}.",
    "review_caption": "Who looked is what the reviewers say of themselves; nothing checked it. That a frame was shown "
    "does not say that it was looked at. A clear settles only what the tool could not decide; a face that matches its "
    "original stays undecided whoever clears it.",
    "review_file": "The decisions are the steward's file audit/review.json, sha256",
    # -- annex D: figures
    "figures_intro": "Pictures show plots of the measurements or frames of the released videos; no frame of an "
    "original is shown.",
    "figures_none": "This certificate has no figure.",
    "figure": "Figure {number}.",
    "figure_words": "{caption} ({kind}, {name})",
    # -- annex F: destruction
    "erasure_complete": "Every registered artefact was destroyed and every check made afterwards held.",
    "erasure_incomplete": "Not complete: at least one check made after the destruction did not hold.",
    "cipher": "Cipher",
    "key": "Key",
    "key_held": "held in {storage}",
    "key_made": "Key made",
    "key_destroyed": "Key destroyed",
    "references_kept": "Kept by request",
    "references_kept_means": "face descriptors of subject and donor, encrypted, in a file of the steward's: see “What "
    "this does not show”",
    "destroyed": "What was destroyed",
    "artefact": "Artefact",
    "kept_as": "Kept as",
    "size": "Size",
    "ciphertext": "sha256 of the ciphertext",
    "key_in_plain": "on disk, a key in plain",
    "never_on_disk": "never on disk",
    "no_artefact": "no artefact was registered",
    "tried": "What was tried afterwards",
    "check": "Check",
    "holds": "holds",
    "holds_not": "does not hold",
    "no_check": "no check was made",
    "not_shown": "What this does not show",
    # -- annex G: files
    "file": "File in {folder}/",
    "role": "Role",
    "digest": "sha256",
    "files_left_out": "{count} more files are listed in the attached statement.",
    "mark": "The mark in the videos",
    "mark_says": "Every video carries a C2PA mark for machines. It says “{type}” in IPTC's words ({uri}), and is "
    "signed with another key than this certificate: that of {name}, certificate fingerprint (sha256) {digest}, valid "
    "until {until}.",
    "mark_limits": "The mark falls off, without a trace, where a video is written into another container or encoded "
    "again, so a video without it may still be one of these. It says nothing about what was measured and does not "
    "replace this certificate: what binds are the digests above. It holds random values, so the same run again gives "
    "the same pictures in other bytes.",
    "videos": "The videos in numbers",
    "video": "Video",
    "pixels": "Size, px",
    "frames": "Frames",
    "codec": "Codec",
    "streams": "Audio / subtitle / data / tags",
    "keyed": "Keyed digest",
    "keyed_caption": "Originals and donors are named by a keyed digest (HMAC-SHA-256) whose key stays with the "
    "steward: a plain hash would let anyone who holds an original link it to this release.",
    "turned": ", turned {degrees}°",
    "frame_words": "{count} ({seconds:.2f} s, {rate} rate)",
    "interlaced": ", interlaced",
    "rate_variable": "variable",
    "rate_constant": "constant",
    "in_pack": "in the donor's pack",
    "in_list": "in the list of files",
    # -- annex H: how it was made
    "stage": "{number}. {stage}",
    "stage_seconds": " ({seconds:.1f} s)",
    "environment": "Environment",
    "models": "Models of others that took part",
    "model": "Model file",
    "licence": "Licence",
    "used_for": "Used for",
    # -- annex I: a board's questions
    "measured_head": "Measured",
    "measured_means": "this tool computed or recorded it.",
    "answered_head": "Answered",
    "answered_means": "the steward's own words, which nothing checked.",
    "not_assessed_head": "Not assessed",
    "not_assessed_means": "neither.",
    "sources_mean": "The sources say where a question comes from; they are no legal advice, and to meet them all is "
    "not claimed.",
    "question_source": "Question and source",
    "question_answer": "What this certificate has for it",
    # -- annex J: the steward's answers
    "answers_intro": "The steward's own words. Nothing checked whether they are true.",
    "answers_none": "This policy asks the steward for no answer.",
    "question": "Question",
    "answer": "Answer",
    # -- annex K: the policy
    "why": "Why",
    "source": "Source",
    "needs_sample": "Needs a sample of {count}.",
    "is_control": "A control: missed, the verdict is indeterminate.",
    "may_rest": "Rests where the original has nothing of the kind.",
    "an_answer": "an answer",
    "an_answer_of": "an answer: {allowed}",
    "or": " or ",
    # -- annex L: how to check
    "binds": "What binds is the statement attached to this PDF, byte for byte, and the signature over both.",
    "statement": "Statement",
    "statement_words": "{name}, {size}",
    "with_tool": "With deid-audit",
    "verify_command": "deid-audit verify certificate.pdf --trust signer.crt --release {folder}",
    "verify_means": "It works without a network, and checks the signature, the statement, the verdict, a stated "
    "validity and every file.",
    "issuer_file": "signer.crt",
    "issuer_file_words": "Take it, or its fingerprint, from the issuer by another way than this document came.",
    "with_openssl": "With openssl and jq",
    "openssl_line": "sh release/verify.sh attestation.dsse.json signer.crt",
    "openssl_means": "The same statement, signed with the same key, in a form that needs no PDF; VERIFY.txt says what "
    "this leaves out.",
    "by_hand": "By hand",
    "by_hand_words": "The videos: sha256sum against the list in {files}. The signature: any PDF reader that checks "
    "signatures, with signer.crt as the trusted certificate. A reader may call a document valid that was added to "
    "after signing; it must say that the signature covers the whole document.",
    "log": "The issuer's log",
    "log_intro": "The machine that issued this certificate keeps a log of its cases, each entry chained to the one "
    "before. Just before this case's end it had {count} entries. Its checkpoint, signed with the machine's own key: "
    "name, number of entries, root over them (RFC 6962), signature.",
    "log_means": "Whoever keeps this page or the statement can later have the log held against it: what was changed or "
    "taken out of those entries since is then seen. It does not show that every case was entered, nor that the clock "
    "of the machine was right.",
    "log_since": "Where the log is kept",
    "log_take_command": "jq -rj .predicate.log_checkpoint {statement} > checkpoint",
    "log_since_command": "deid-audit log verify --since checkpoint",
    "log_prove": "For somebody else",
    "log_prove_command": "deid-audit log prove {case_id} --out proof.json --since checkpoint",
    "log_prove_means": "The proof that this case's end is an entry of the same log, without showing any other; whoever "
    "has it and this checkpoint checks it, without the log:",
    "log_check_command": "deid-audit log check-proof proof.json --checkpoint checkpoint --key VERIFIER-KEY",
    "log_none": "No log was kept: the statement holds no checkpoint, so this case cannot be held against a log.",
    "no_revocation": "Revocation is looked up only in lists that you give (--crl). Where a signature holds no "
    "timestamp, the time of signing is the signer's own statement.",
    "signatures": "Signatures",
    "signatures_words": "A signature covers everything before it. The steward certifies this document and its "
    "statement; the chair of the ethics board may add one decision, and after that nothing can be added. What counts "
    "is what a check of the signatures says, not how the boxes look.",
    "unsigned": "Not signed.",
    "undecided": "No decision: the chair has not signed. It is added with:",
    "approve_command": "deid-audit approve certificate.pdf --signer chair.p12 --decision approve --trust signer.crt",
    "signs_steward": "Data steward",
    "signs_chair": "Chair of the ethics board",
    "signer_certifies": "{name}: certifies the attached statement",
    "signer_approves": "{name}: approves the release",
    "signer_refuses": "{name}: REFUSES the release",
    "signer_conditions": "Conditions: {conditions}",
    "signer_time": "{time} UTC, by the signer's own statement",
    "signer_time_stamped": "{time} UTC; timestamp in the signature by {by}",
    "signer_certificate": "certificate sha256 {digest}",
    # -- numbers and reasons in words
    "limit_words": "{op} {limit} {unit}",
    "interval": "{low} to {high}",
    "interval_clusters": "{ends} ({clusters} {unit})",
    "interval_none": "none: {reason}",
    "not_computed": "not computed",
    "not_applicable": "not applicable: {reason}",
    "not_measured": "not measured: {reason}",
    "bytes": "{count} bytes",
})  # fmt: skip

ANNEXES: Mapping[str, str] = MappingProxyType({
    "rules": "The rules, each against the worst of the videos",
    "not_assessed": "What was not assessed",
    "measurements": "Measurements",
    "exam": "For the clinician: what an examination shows",
    "figures": "Figures",
    "destruction": "",  # the two without a title are called by the kind of job: `KindWords`
    "files": "Files",
    "method": "",
    "questions": "A board's 25 questions",
    "answers": "What the policy asks the steward",
    "policy": "The policy in full",
    "checking": "How to check this certificate",
})  # fmt: skip
"""The annexes in their order, with their titles; the first is annex A."""

FIVE_NUMBERS: Mapping[str, tuple[str, str]] = MappingProxyType({
    "identity.to_original.p01": (
        "How unlike the subject the face is, at its worst",
        "99 of 100 frames are farther from their original. Two photos of one person: usually nearer than 0.6.",
    ),
    "identity.to_original.mean": (
        "How unlike the subject the face is, on average",
        "Mean distance to the same frame's original. Two photos of one person: usually nearer than 0.6.",
    ),
    "identity.to_original.longest_run_below_frames": (
        "Longest moment of likeness",
        "Most frames in a row that are nearer than 0.6 to their original.",
    ),
    "identity.to_original.seconds_below": (
        "Time of likeness in all",
        "Share of the seconds in which a frame is nearer than 0.6 to its original.",
    ),
    "coverage.concealed_share": (
        "How much is covered",
        "Share of the frames in which the subject's face is hidden under a cover.",
    ),
    "keypoints.ap95": (
        "Whether the posture is kept",
        "Body keypoints found where the original has them (AP at OKS 0.95).",
    ),
    "keypoints.oks_ge_95": (
        "Whether the posture is kept",
        "Share of the frames with the body's keypoints where the original has them (OKS of at least 0.95).",
    ),
    "attack.strongest.auc": (
        "The strongest attack that was tried",
        "Chance to be taken for nearer than a stranger: 0.5 tells nothing, 1 gives the subject away.",
    ),
    "attack.descriptor.rank1": (
        "Found in a gallery",
        "Share of the swapped frames that find the subject first in a gallery with strangers.",
    ),
})  # fmt: skip
"""What the first page calls a number, and what it means, by metric."""

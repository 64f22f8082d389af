"""The fixed words of the board's report, beside those that it shares with the certificate."""

from collections.abc import Mapping
from types import MappingProxyType

REPORT: Mapping[str, str] = MappingProxyType({
    "document_title": "deid-audit report, case {case_id}: {verdict}",
    "kicker": "Report for the ethics board",
    "case": "Case {case_id}",
    "about": "Goes with certificate.pdf: {title}",
    "unsigned_head": "This page is not signed.",
    "unsigned": "What is signed is certificate.pdf with the statement attached to it. Every number here comes from "
    "that statement, or from a file whose digest it holds. Whether the signature holds, whether the board decided "
    "and whether the release was withdrawn since says only the check at the end of this page.",
    "statement": "Statement {name}, sha256",
    "contents": "On this page",
    # -- the five numbers
    "five_intro": "Each of the worst video, with the limit that the policy sets.",
    # -- over time
    "over_time": "Over time",
    "over_time_intro": "Distance of each released frame's face to the same frame's original. Below {cut} the "
    "recogniser dlib takes two faces for one person's. Where many frames share a column, the band goes from the "
    "smallest to the largest of their distances. Gaps: frames that were not compared.",
    "lanes_intro": "Below the curve: what was done about the frames, from the ledger; a frame has the worst state of "
    "its faces.",
    "markers_intro": "Triangles mark frames that are shown as the worst, dots frames that are shown as evenly "
    "spread. Point at one, or reach it by the tabulator and the arrow keys, to see the released picture.",
    "video": "Video {number}",
    "curve_words": "{video}: {compared} of {frames} frames compared; smallest distance {smallest}, largest "
    "{largest}; {below} below {cut}.",
    "curve_empty": "{video}: none of {frames} frames was compared.",
    "axis": "distance",
    "cut": "{cut}: one person for dlib",
    "no_curve": "{video}: the numbers behind the curve are not in the steward's folder, or this statement does not "
    "hold their digest, so no curve is drawn.",
    "no_states": "The ledger (frames.csv) is not in the steward's folder, so its states are not drawn over time.",
    "more_videos": "{count} more videos are not drawn here; their numbers are in the certificate.",
    "covered": "Covered stretches",
    "covered_words": "In {count} stretches, {seconds} s in all, the subject's face is hidden under a cover.",
    "covered_longest": "The longest {count} are listed.",
    "covered_none": "The subject's face is covered in no frame.",
    "from": "From",
    "to": "To",
    "lasts": "Lasts",
    "seconds": "{value} s",
    # -- pictures
    "pictures": "Pictures from the release",
    "pictures_intro": "Decoded from the released files when this page was made, and made smaller; beside each, the "
    "subject's face as the ledger places it; no picture shows an original.",
    "pictures_chosen": "How they were chosen: at most {most} in all, shared among the videos. Up to half of a "
    "video's are its worst, the frames nearest to their original, no two within a second or a fiftieth of the video, "
    "whichever is less; the rest are evenly spread from the first frame to the last. The tool chose them, nobody "
    "else.",
    "pictures_withheld": "None: this release did not pass, and a frame of a withheld video may show the subject. The "
    "steward has pictures in audit/why.",
    "picture_alt": "Released frame {frame} of video {number}, at {time}",
    "face_alt": "The face in it, enlarged",
    "picture_worst": "among the worst",
    "picture_spread": "evenly spread",
    "picture_caption": "Video {number}, {time}, frame {frame}",
    "picture_distance": "distance {value}",
    "picture_no_distance": "not compared",
    # -- text and sound
    "text_and_sound": "Text in the picture, and sound",
    "text_and_sound_intro": "Text that stands in the picture may name somebody, and so may a voice. Places with text "
    "are found by the shapes of letters in the written file; nothing was read, a line can be missed, and what is "
    "found need not be text.",
    "text_found": "Places that may show standing text: {count}, of which {covered} were covered with black and {left} "
    "are left as they are.",
    "text_none": "The search found no standing line of text in the written file.",
    "text_not_searched": "Standing text was not searched for.",
    "sound_none": "The released file has no sound.",
    "sound_masked": "The released file has sound with the voice masked. What is said, the accent, the intonation and "
    "the pace are not anonymised.",
    "sound_kept": "The released file has its sound as it was, with the voices of those who speak.",
    "sound_streams": "Streams of sound in the released file that were not asked for: {count}.",
    "sound_unknown": "Whether the released file has sound was not measured.",
    "voice_halves": "The same distance between the halves of the original's own voice: {value}.",
    # -- rules
    "rules": "The rules, each against the worst of the videos",
    "why": "Why: {why}",
    "source": "Source: {source}",
    # -- figures
    "figures": "Figures of the certificate",
    "figures_intro": "Plots of the measurements, the same bytes as in the certificate.",
    "figures_left_out": "Not shown here, since they are large or not in the steward's folder: {names}. The "
    "certificate has them.",
    "figures_pictures": "The certificate's own pictures from the released files stand there only.",
    # -- answers, not assessed, checking
    "answers": "What the policy asks the steward",
    "not_assessed": "What was not assessed",
    "not_assessed_intro": "deid-audit looked at none of the following. Each of them may still point to the subject.",
    "checking": "How to check the certificate",
    "checking_intro": "Take the folder with certificate.pdf, signer.crt, attestation.dsse.json and {folder}/ to a "
    "machine of your own.",
    "made": "Made by deid-audit {version} from the statement, the steward's folder and the released files; the same "
    "again by: deid-audit report OUT",
})  # fmt: skip

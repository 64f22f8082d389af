"""A clip swapped and written as a run does it, with a pair trained for a while, or as it is before its first step."""

from pathlib import Path

from common.pairs import SILENT, Pair
from deid_audit.faces.subject import name_person
from deid_audit.frames import Float
from deid_audit.pipeline.cast import CastVideo, find_faces, videos_of
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.rendering import RenderedPass, part_of, render_video
from deid_audit.swap.networks import Preset, SwapModel
from deid_audit.swap.train import train
from deid_audit.video.reader import SourceVideo, open_video


def posed(pair: Pair, preset: Preset) -> SwapModel:
    """The swap that a run begins with: mean faces posed by landmarks, nothing learnt beside them."""
    model = SwapModel(preset)
    model.set_priors(pair.priors)
    return model.eval().requires_grad_(False)


def trained(pair: Pair, preset: Preset, steps: int) -> SwapModel:
    """The model after at most so many steps on a CPU, as a run trains."""
    with SILENT.step("", None) as step:
        return train(
            preset, pair.faces, pair.priors, steps=steps,
            seed=0, device="cpu", probe=pair.probe, step=step,
        ).model  # fmt: skip


def found(source: SourceVideo, engines: Engines) -> tuple[CastVideo, Float]:
    """Where the one person of a clip is, and the average of their descriptors."""
    faces = find_faces(source, engines=engines, progress=SILENT)
    person = name_person([faces], who="subject")
    [cast] = videos_of(person, [], [source], [faces])
    return cast, person.average


def swapped(
    cast: CastVideo, average: Float, model: SwapModel, engines: Engines, path: Path
) -> tuple[SourceVideo, float]:
    """The released clip at `path`, and the share of its frames in which the subject's face is not a swapped one."""
    done = RenderedPass()
    part = part_of(cast, average, [], model=model, engines=engines)
    with SILENT.step("", None) as step:
        render_video([part], path, done, step=step)
    shown = sum(any(one.is_subject and one.state == "swapped" for one in row.regions) for row in done.ledger)
    return open_video(path, label="released clip"), 1 - shown / len(done.ledger)

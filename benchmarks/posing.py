"""What one face's swap costs, stage by stage, as it is and as it was: both in one process, in turns.

As it was: the map of a pose from scipy's interpolation, both mean faces and the code made anew for rebuilding and for
swapping, weights of the recogniser laid out for every chip. Seconds of the processor, not of the clock, the least of
all rounds, on one thread, so that other jobs matter little. Two portraits stand for the two people. Prints a Markdown
table.
"""

import time
from collections.abc import Callable
from unittest.mock import patch

import cv2
import numpy as np
import torch
from scipy.interpolate import LinearNDInterpolator

from deid_audit.faces.align import align
from deid_audit.frames import AlignedFace, Float
from deid_audit.pipeline.doctor.steps.faces import portraits
from deid_audit.swap.convert import prepare_runtime, rebuild_face, rebuilt, swap_face, swapped, take_in
from deid_audit.swap.networks import PRESETS, SwapModel
from deid_audit.swap.prior import FacePrior, _between_lips, make_prior, shape_of, with_open_mouth
from deid_audit.swap.warping import Points, framed, in_pixels, triangles, unfolded
from deid_audit.vision.descriptor_net import DescriptorNet
from deid_audit.vision.mesh import FaceMesh
from deid_audit.vision.models import RECOGNIZER, model_path


def warped_by_scipy(prior: FacePrior, shape_xy: Points, size: int, margin: float) -> Float:
    begin, end = framed(prior.neutral_xy), framed(shape_xy)
    grid = (np.arange(size) - (size - 1) / 2) * margin / size
    kept = unfolded(begin, end, triangles(begin))
    places = LinearNDInterpolator(end[kept], begin[kept])(np.stack(np.meshgrid(grid, grid), -1))
    maps = in_pixels(places, len(prior.texture), prior.margin).astype(np.float32)
    across, down = (np.ascontiguousarray(maps[..., axis]) for axis in (0, 1))
    parts = [np.ascontiguousarray(prior.texture[..., at : at + 3]) for at in (0, 3)]
    return np.dstack([cv2.remap(p, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for p in parts])


def posed_by_scipy(self: FacePrior, shape_xy: Points, size: int, *, margin: float = 1.0) -> Float:
    posed = warped_by_scipy(self, shape_xy, size, margin)
    within = _between_lips(shape_xy, size, margin)
    if self.open_mouth is not None and within.any():
        mouth = warped_by_scipy(self.open_mouth, shape_xy, size, margin)
        posed[..., :3] += (mouth[..., :3] - posed[..., :3]) * within[..., None]
    return posed


def best(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Milliseconds of the processor, the least of so many turns of each."""
    least = [float("inf")] * len(works)
    for _ in range(rounds):
        for at, work in enumerate(works):
            begun = time.process_time()
            work()
            least[at] = min(least[at], time.process_time() - begun)
    return [1000 * each for each in least]


def made_once(model: SwapModel, face: AlignedFace) -> None:
    taken = take_in(model, face)
    rebuilt(model, taken)
    swapped(model, taken)


def main() -> None:
    rounds = 4
    prepare_runtime("cpu", 1)
    cv2.setNumThreads(1)
    mesh, faces, priors = FaceMesh(video=False), [], []
    for size, (image, box) in zip((80, 320), portraits(), strict=False):
        points = mesh.landmarks(image, box)
        assert points is not None
        wide = align(0, image, points[:, :2], size, margin=1.25)
        priors.append(with_open_mouth(make_prior([wide], np.ones(1), margin=1.25), [wide]))
        faces.append(align(0, image, points[:, :2], 64))
    rows, differences = [], []
    for prior, size in ((priors[0], 64), (priors[1], 128), (priors[1], 256)):
        shape = shape_of(faces[1]) + (0, 0.01) * (np.arange(478) % 3 == 0)[:, None]
        pose = (lambda: posed_by_scipy(prior, shape, size), lambda: prior.posed(shape, size))  # noqa: B023
        differences.append(float(np.abs(pose[0]() - pose[1]()).max()) * 255)
        rows.append((f"a mean face posed, {size} px", *best(rounds, *pose)))
    model = SwapModel(PRESETS["micro64"]).eval().requires_grad_(False)
    model.set_priors({"subject": priors[0], "donor": priors[1]})

    def as_it_was() -> None:
        with patch.object(FacePrior, "posed", posed_by_scipy):
            rebuild_face(model, faces[0])
            swap_face(model, faces[0])

    rows.append(("a face rebuilt and swapped, 256 px", *best(rounds, as_it_was, lambda: made_once(model, faces[0]))))
    nets = [DescriptorNet(model_path(RECOGNIZER)).eval() for _ in range(2)]
    for weights in nets[0].parameters():
        weights.data = weights.data.contiguous(memory_format=torch.contiguous_format)
    for count in (1, 4):
        chips = torch.rand(count, 150, 150, 3).permute(0, 3, 1, 2) * 255
        with torch.inference_mode():
            spent = best(rounds, *(lambda net=net: net(chips) for net in nets))  # type: ignore[misc]  # noqa: B023
        rows.append((f"a descriptor, {count} at once", *(each / count for each in spent)))
    print("| ms of the processor | as it was | as it is |\n| --- | --- | --- |")
    for name, before, after in rows:
        print(f"| {name} | {before:.2f} | {after:.2f} |")
    print(f"\nLargest difference of a posed face, of 255 levels: {max(differences):.3f}")


if __name__ == "__main__":
    main()

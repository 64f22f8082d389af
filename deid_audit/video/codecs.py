"""Which codecs the installed FFmpeg has: what a run writes, and what it may be given. Nothing is encoded here."""

import av
from av.codec import Codec
from av.codec.codec import UnknownCodecError
from av.format import ContainerFormat

# What exam videos come in. FFmpeg's own av1 decoder works only with a graphics card; dav1d needs none.
COMMON_DECODERS = {
    "h264": "h264",
    "hevc": "hevc",
    "mpeg4": "mpeg4",
    "mpeg1": "mpeg1video",
    "mpeg2": "mpeg2video",
    "vp8": "vp8",
    "vp9": "vp9",
    "av1": "libdav1d",
    "prores": "prores",
    "dv": "dvvideo",
    "wmv": "wmv3",
}


def encoder_present() -> bool:
    """Whether released videos can be written: the encoder, and MP4 around it."""
    return _has("libx264", "w") and "mp4" in av.formats_available and ContainerFormat("mp4", "w").is_output


def decoders_present() -> dict[str, bool]:
    """For each of `COMMON_DECODERS`, whether videos in it can be read."""
    return {name: _has(codec, "r") for name, codec in COMMON_DECODERS.items()}


def _has(codec: str, mode: str) -> bool:
    try:
        Codec(codec, mode)  # type: ignore[arg-type]
    except UnknownCodecError:
        return False
    return True

"""Names of tags as an inventory may have them: usual ones as they are, the others as a number.

A tag's name is free text in PNG, MP4 and Matroska, and can hold a person's; inventories of originals are published.
"""

from collections.abc import Iterable

_OF_CONTAINERS = """
    album album_artist alpha_mode artist author bps comment compatible_brands composer copyright creation_time date
    description disc duration encoded_by encoder episode_id filename firmware genre gapless_playback handler_name
    hd_video iTunNORM iTunSMPB keywords language location make major_brand media_type mimetype minor_version model
    network number_of_bytes number_of_frames performer producer publisher purchase_date rating rotate season_number
    service_name service_provider show software sort_name source_id stereo_mode synopsis timecode title track
    variant_bitrate vendor_id writing_app year _statistics_tags _statistics_writing_app _statistics_writing_date_utc
    com.android.capture.fps com.android.manufacturer com.android.model com.android.version
"""
_OF_QUICKTIME = """
    album artist author camera.focal_length.35mm_equivalent camera.framereadouttimeinmicroseconds camera.identifier
    camera.lens_model collection.user comment content.identifier copyright creationdate description director displayname
    full-frame-rate-playback-intent genre information keywords live-photo.auto live-photo.vitality-score
    live-photo.vitality-scoring-version location.ISO6709 location.accuracy.horizontal location.body location.date
    location.name location.note location.role make model phonogramrights producer publisher rating.user software
    still-image-time title user video-orientation year
"""
_OF_PICTURES = """
    ApertureValue Artist BitsPerSample BodySerialNumber BrightnessValue CameraOwnerName ColorSpace
    ComponentsConfiguration Compression Contrast Copyright CustomRendered DateTime DateTimeDigitized
    DateTimeOriginal DigitalZoomRatio Disclaimer DocumentName ExifImageHeight ExifImageWidth ExifVersion
    ExposureBiasValue ExposureMode ExposureProgram ExposureTime FNumber FileSource FillOrder Flash FlashpixVersion
    FocalLength FocalLengthIn35mmFilm FocalPlaneResolutionUnit FocalPlaneXResolution FocalPlaneYResolution
    GainControl GPSAltitude GPSAltitudeRef GPSDateStamp GPSDestBearing GPSDestBearingRef GPSImgDirection
    GPSImgDirectionRef GPSLatitude GPSLatitudeRef GPSLongitude GPSLongitudeRef GPSMapDatum GPSProcessingMethod
    GPSSpeed GPSSpeedRef GPSTimeStamp GPSVersionID HostComputer ISOSpeedRatings ImageDescription ImageHistory
    ImageLength ImageUniqueID ImageWidth InteropIndex InteropVersion LensMake LensModel LensSerialNumber
    LensSpecification LightSource MakerNote MaxApertureValue MeteringMode OffsetTime OffsetTimeDigitized
    OffsetTimeOriginal Orientation PageName PhotographicSensitivity PhotometricInterpretation PixelXDimension
    PixelYDimension PlanarConfiguration PrimaryChromaticities ResolutionUnit RowsPerStrip SamplesPerPixel Saturation
    SceneCaptureType SceneType SensingMethod SensitivityType Sharpness ShutterSpeedValue Source StripByteCounts
    StripOffsets SubSecTime SubSecTimeDigitized SubSecTimeOriginal SubjectArea SubjectDistance SubjectDistanceRange
    UserComment Warning WhiteBalance WhitePoint XResolution YCbCrCoefficients YCbCrPositioning YCbCrSubSampling
    YResolution
"""
_LANGUAGES = """
    ara bul ces chi cze dan deu dut ell eng est fin fra fre ger gre heb hin hrv hun ice isl ita jpn kor lav lit nld
    nob nor pol por ron rum rus slk slo slv spa srp swe tha tur ukr und vie zho
"""
_USUAL = frozenset(
    name.lower()
    for name in (
        *_OF_CONTAINERS.split(),
        *(f"com.apple.quicktime.{name}" for name in _OF_QUICKTIME.split()),
        *_OF_PICTURES.split(),
        "Creation Time",
        "Raw profile type exif",
        "Raw profile type iptc",
        "XML:com.adobe.xmp",
    )
)


def listed(keys: Iterable[str]) -> tuple[str, ...]:
    """`keys` sorted, each unusual one as `other 1`, `other 2` and so on: as many entries as different keys."""
    different = set(keys)
    usual = {key for key in different if _is_usual(key)}
    others = (f"other {number}" for number in range(1, len(different - usual) + 1))
    return tuple(sorted((*usual, *others)))


def _is_usual(key: str) -> bool:
    """Without a language behind it, as in `title-eng`, or that it is a chapter's; the case of letters says nothing."""
    name = key.removeprefix("chapter.")
    stem, _, language = name.rpartition("-")
    return name.lower() in _USUAL or (language in _LANGUAGES.split() and stem.lower() in _USUAL)

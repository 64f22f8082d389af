"""The certificate's two signature fields, written into the document before anyone signs: the steward's and the chair's.

Their rectangles are those of the elements `sig-steward` and `sig-chair` of the template. Signing fills a field and
adds nothing else, so that a later look can hold every other change against whoever made it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from deid_audit.errors import StageError

STEWARD_FIELD, CHAIR_FIELD = "Steward", "EthicsChair"
# Not there before: an invisible field that a document timestamp adds after the chair.
TIMESTAMP_FIELD = "Timestamp"
_POINTS_PER_PX = 0.75
_PRINTED_AND_LOCKED = 4 | 128
_SIGNATURES_EXIST_APPEND_ONLY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    anchor: str
    name: str
    label: str


_FIELDS = (
    _Field(anchor="sig-steward", name=STEWARD_FIELD, label="Signature of the data steward"),
    _Field(anchor="sig-chair", name=CHAIR_FIELD, label="Signature of the ethics board's chair"),
)


def add_signature_fields(document: Any, pdf: Any, *, names: Collection[str] = (STEWARD_FIELD, CHAIR_FIELD)) -> None:
    """Write the named fields, empty, into `pdf` (pydyf) where `document` (WeasyPrint) has their elements.

    The chair's field locks the whole document when it is signed (ISO 32000-2, 12.7.5.5): nothing comes after the chair.

    Raises:
        StageError: the document has no place for a signature.
    """
    import pydyf  # noqa: PLC0415  (comes with WeasyPrint)

    form = pydyf.Dictionary({"Fields": pydyf.Array(), "SigFlags": _SIGNATURES_EXIST_APPEND_ONLY})
    for one in (one for one in _FIELDS if one.name in names):
        number, rect = _place_of(one.anchor, document)
        page = pdf.objects[pdf.pages["Kids"][3 * number]]
        left, bottom, right, top = rect
        # PDF/A wants an appearance for every field that can be seen; an empty one leaves the page's own text visible.
        nothing = pydyf.Stream(
            [],
            {"Type": "/XObject", "Subtype": "/Form", "BBox": pydyf.Array([0, 0, right - left, top - bottom])},
        )
        pdf.add_object(nothing)
        entries = {
            "Type": "/Annot",
            "Subtype": "/Widget",
            "FT": "/Sig",
            "T": pydyf.String(one.name),
            "TU": pydyf.String(one.label),
            "F": _PRINTED_AND_LOCKED,
            "P": page.reference,
            "Rect": pydyf.Array([left, bottom, right, top]),
            "AP": pydyf.Dictionary({"N": nothing.reference}),
        }
        if one.name == CHAIR_FIELD:
            entries["Lock"] = pydyf.Dictionary({"Type": "/SigFieldLock", "Action": "/All", "P": 1})
        field = pydyf.Dictionary(entries)
        pdf.add_object(field)
        page.setdefault("Annots", pydyf.Array()).append(field.reference)
        form["Fields"].append(field.reference)
    pdf.catalog["AcroForm"] = form


def _place_of(anchor: str, document: Any) -> tuple[int, tuple[int, int, int, int]]:
    """The page (from 0) and the rectangle from its lower left corner: left, bottom, right, top.

    In whole points: the stamp's own frame would lose its edge to pyHanko, which cuts fractions off.
    """
    for number, page in enumerate(document.pages):
        if anchor in page.anchors:
            left, top, right, bottom = page.anchors[anchor]
            corners = (left, page.height - bottom, right, page.height - top)
            left, bottom, right, top = (round(corner * _POINTS_PER_PX) for corner in corners)
            return number, (left, bottom, right, top)
    raise StageError("the certificate's pages have no place for a signature", next_step="report this")

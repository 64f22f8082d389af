"""What a chair's signature may add to a certificate: itself, in its field, and what draws it; nothing else.

A PDF grows by revisions, and a library's judgement of what a later one may change is lenient on purpose (a title, say).
Here each object of a later revision has to be accounted for.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from deid_audit.certificate.fields import CHAIR_FIELD

_FILLED = ("/V", "/AP")
_KEPT_IN_TRAILER = ("/Root", "/Info", "/Encrypt")


def fault_between(reader: Any, steward: Any, chair: Any) -> str:
    """What came between the steward's signature and the chair's, beside the chair's own; empty where nothing did.

    Args:
        reader: pyHanko's reader of the whole file.
        steward: its embedded signature in the steward's field.
        chair: the one in the chair's.
    """
    first, second = int(steward.signed_revision), int(chair.signed_revision)
    return fault_of_revision(reader, first, second) or _unaccounted(reader, chair, first, second)


def fault_of_revision(reader: Any, first: int, second: int) -> str:
    """What is wrong with `second` as the revision right after `first`, whatever it adds; empty where nothing is."""
    if second != first + 1:
        return f"{second - first - 1} other revision(s) stand between two signatures"
    if reader.xrefs.hybrid_xrefs_present or reader.xrefs.refs_freed_in_revision(second):
        return "a later revision takes objects away or lists them twice"
    before, after = (reader.trailer.flatten(revision) for revision in (first, second))
    if any(_written(before, key) != _written(after, key) for key in _KEPT_IN_TRAILER):
        return "a later revision names another document or other information about it"
    return ""


def entries_of(dictionary: Any, but: tuple[str, ...]) -> dict[str, bytes]:
    """Everything in a dictionary beside these keys, as it would be written."""
    return {str(key): bytes_of(dictionary.raw_get(key)) for key in dictionary if key not in but}


def _unaccounted(reader: Any, chair: Any, first: int, second: int) -> str:
    """Every object of the revision must be the field, part of its signature or picture, unchanged, or the table."""
    field_ref = chair.sig_field.container_ref
    old = reader.get_historical_resolver(first)
    new = reader.get_historical_resolver(second)
    listed = set(reader.xrefs.explicit_refs_in_revision(second))
    existed = {ref for ref in listed if reader.xrefs.get_introducing_revision(ref) <= first}
    if field_ref not in existed:
        return "the chair's field was not there when the steward signed"
    for ref in existed - {field_ref}:
        if bytes_of(old.get_object(ref)) != bytes_of(new.get_object(ref)):
            return "something that the steward signed was changed before the chair signed"
    old_field, new_field = old.get_object(field_ref), new.get_object(field_ref)
    if "/V" in old_field or entries_of(old_field, _FILLED) != entries_of(new_field, _FILLED):
        return "the chair's field is not the one that the steward signed"
    added = listed - existed
    known = set(_reachable([new_field.raw_get(key) for key in _FILLED if key in new_field], new, added))
    known.add(reader.xrefs.get_xref_container_info(second).stream_ref)
    if added - known:
        return f"{len(added - known)} object(s) were added that are no part of the chair's signature"
    return ""


def chair_field_fault(root: Any) -> str:
    """What is wrong with the empty fields that the steward signed over; empty where they are as they must be.

    Args:
        root: the document catalogue of the steward's revision.
    """
    fields = [one.get_object() for one in root["/AcroForm"]["/Fields"]]
    chairs = [one for one in fields if str(one.get("/T")) == CHAIR_FIELD]
    if len(fields) != 2 or len(chairs) != 1 or any("/Kids" in one for one in fields):
        return "the certificate has other signature fields than the steward's and the chair's"
    lock = chairs[0].get("/Lock", {})
    if (str(lock.get("/Action")), lock.get("/P")) != ("/All", 1):
        return "the chair's field does not lock the document"
    return ""


def _reachable(roots: list[Any], resolver: Any, within: set[Any]) -> Iterator[Any]:
    """References among `within` that can be come to from `roots`."""
    from pyhanko.pdf_utils import generic  # noqa: PLC0415  (heavy)

    todo, seen = list(roots), set()
    while todo:
        one = todo.pop()
        if isinstance(one, generic.IndirectObject):
            ref = one.reference
            if ref in within and ref not in seen:
                seen.add(ref)
                yield ref
                todo.append(resolver.get_object(ref))
        elif isinstance(one, generic.DictionaryObject):  # a stream's dictionary, too
            todo += [one.raw_get(key) for key in one]
        elif isinstance(one, generic.ArrayObject):
            todo += [one.raw_get(position) for position in range(len(one))]


def _written(dictionary: Any, key: str) -> bytes:
    return bytes_of(dictionary.raw_get(key)) if key in dictionary else b""


def bytes_of(thing: Any) -> bytes:
    """An object as it would be written, references not followed."""
    out = BytesIO()
    thing.write_to_stream(out)
    return out.getvalue()

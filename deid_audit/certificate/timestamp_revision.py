"""What a document timestamp may add to a certificate after the chair: itself, and what its later check needs.

As in `revisions`, each object of the revision has to be accounted for, and the few that change may change in one way.
"""

from collections.abc import Iterator
from typing import Any

from deid_audit.certificate.fields import TIMESTAMP_FIELD
from deid_audit.certificate.revisions import bytes_of, entries_of, fault_of_revision

_STAMP_KEYS = {"/Type", "/Filter", "/SubFilter", "/Contents", "/ByteRange"}


def fault_after(reader: Any, chair: Any, stamp: Any) -> str:
    """What came after the chair's signature, beside a document timestamp and what checking needs; empty for nothing.

    Args:
        reader: pyHanko's reader of the whole file.
        chair: its embedded signature in the chair's field.
        stamp: the document timestamp.
    """
    first, second = int(chair.signed_revision), int(stamp.signed_revision)
    fault = fault_of_revision(reader, first, second)
    return fault or next((words for wrong, words in _faults(reader, stamp, first, second) if wrong), "")


def _faults(reader: Any, stamp: Any, first: int, second: int) -> Iterator[tuple[bool, str]]:
    """The catalogue and one page may name one field more, the catalogue a new security store; nothing else changes."""
    old, new = reader.get_historical_resolver(first), reader.get_historical_resolver(second)
    listed = set(reader.xrefs.explicit_refs_in_revision(second))
    existed = {ref for ref in listed if reader.xrefs.get_introducing_revision(ref) <= first}
    field_ref, value_ref = stamp.sig_field.container_ref, stamp.sig_object.container_ref
    field, value = new.get_object(field_ref), new.get_object(value_ref)
    strange = not _is_timestamp_field(field) or set(value) != _STAMP_KEYS or value["/SubFilter"] != "/ETSI.RFC3161"
    yield strange, "the timestamp's field is not as this tool writes it"
    page_ref, root_ref = field.raw_get("/P").reference, reader.root_ref
    yield existed != {page_ref, root_ref}, "something beside the lists of fields was changed after the chair signed"
    old_page, page = old.get_object(page_ref), new.get_object(page_ref)
    changed = page.get("/Type") != "/Page" or not _one_more(old_page, page, "/Annots", field_ref)
    yield changed, "a page was changed after the chair signed"
    old_root, root = old.get_object(root_ref), new.get_object(root_ref)
    kept = entries_of(old_root, ("/AcroForm", "/DSS")) == entries_of(root, ("/AcroForm", "/DSS"))
    yield not kept, "the document's catalogue was changed after the chair signed"
    same = _one_more(old_root["/AcroForm"], root["/AcroForm"], "/Fields", field_ref)
    yield not same, "the document's form was changed after the chair signed"
    known = {field_ref, value_ref, reader.xrefs.get_xref_container_info(second).stream_ref}
    store = _security_store(root, new)
    yield store is None, "the document's security store holds something else than certificates and lists"
    added = listed - existed - known - (store or set())
    yield bool(added), f"{len(added)} object(s) were added that are no part of the timestamp"


def _is_timestamp_field(field: Any) -> bool:
    """The invisible field that holds the timestamp, and shows nothing."""
    shown = {key: field.get(key) for key in ("/FT", "/T", "/Type", "/Subtype", "/F", "/TU")}
    expected = {"/FT": "/Sig", "/T": TIMESTAMP_FIELD, "/Type": "/Annot", "/Subtype": "/Widget", "/F": 132}
    expected |= {"/TU": TIMESTAMP_FIELD}
    corners = [int(number) for number in field["/Rect"]]
    return shown == expected and corners == [0, 0, 0, 0] and set(field) == {*expected, "/Rect", "/P", "/V"}


def _one_more(before: Any, after: Any, key: str, ref: Any) -> bool:
    """Whether `after` is `before` with this one reference more at the end of the list under `key`."""
    had = [bytes_of(before[key].raw_get(at)) for at in range(len(before[key]))]
    has = [bytes_of(after[key].raw_get(at)) for at in range(len(after[key]))]
    same = entries_of(before, (key,)) == entries_of(after, (key,))
    return same and has[:-1] == had and len(has) == len(had) + 1 and after[key].raw_get(len(had)).reference == ref


def _security_store(root: Any, resolver: Any) -> set[Any] | None:
    """The references of /DSS and of all its streams, where there is one; None where it holds anything else."""
    if "/DSS" not in root:
        return set()
    reference = root.raw_get("/DSS").reference
    store = resolver.get_object(reference)
    lists = {key: store[key] for key in store if key != "/Type"}
    streams = [(one.raw_get(at).reference, one[at]) for one in lists.values() for at in range(len(one))]
    plain = all(hasattr(one, "data") and set(one) <= {"/Length", "/Filter"} for _, one in streams)
    if not plain or not set(lists) <= {"/Certs", "/CRLs"}:
        return None
    return {reference, *(ref for ref, _ in streams)}

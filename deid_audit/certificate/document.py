"""Lay the case out as a PDF: the template filled, the figures placed, the statement attached byte for byte.

The last stage but signing. It reaches for nothing outside: fonts come from matplotlib's data, and the renderer may
open the figures, fonts and style sheet handed to it and nothing else. It judges and measures nothing.
"""

import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deid_audit.certificate import exam_page, first_page, questions, strings, tables, wording
from deid_audit.certificate.attachments import STATEMENT_NAME
from deid_audit.certificate.fields import add_signature_fields
from deid_audit.certificate.filling import filled, shared_words
from deid_audit.certificate.strings import TEXT
from deid_audit.errors import StageError
from deid_audit.findings import SUBJECT_SCOPE, CaseRecord, Figure
from deid_audit.resources import resource_dir

APT_COMMAND = "apt-get install --no-install-recommends libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
MAX_FILES_LISTED = 200
_VARIANT = "pdf/a-3a"
_SCHEME = "certificate:"
_FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono")
_Resources = Mapping[str, tuple[bytes, str]]


def render_certificate(case: CaseRecord, statement: bytes, figures: Sequence[Figure], *, issued_at: datetime) -> bytes:
    """The unsigned certificate, produced as PDF/A-3a with `statement` attached as `evidence.json`.

    The same input gives the same bytes with the same versions of WeasyPrint and its libraries.

    Args:
        case: what the pages say, as read from the statement: its tables come in another order than those in memory.
        statement: the exact bytes to attach; not looked into.
        figures: pictures to show, exactly those that `case.figures` names, in its order.
        issued_at: the one date in the file (aware).

    Raises:
        StageError: the text libraries are missing, or the figures are not those of the case.
    """
    _require_same_figures(case, figures)
    html = filled("certificate.html.j2", _context(case, statement, figures))
    resources = {f"{_SCHEME}figure/{number}": (one.data, one.media_type) for number, one in enumerate(figures)}
    return write_pdf(html, resources, statement, issued_at=issued_at)


def _require_same_figures(case: CaseRecord, figures: Sequence[Figure]) -> None:
    if tuple(figure.digest for figure in figures) != case.figures:
        raise StageError("the certificate's figures are not those that the statement names", next_step="report this")


def _own_resources() -> dict[str, tuple[bytes, str]]:
    try:
        css = (resource_dir("templates") / "certificate.css").read_bytes()
        fonts = {f"{_SCHEME}font/{path.stem}": (path.read_bytes(), "font/ttf") for path in font_files()}
    except OSError as error:
        raise StageError(
            f"a font or the style sheet of the certificate cannot be read: {error.strerror}",
            next_step="deid-audit doctor names it and the command that mends it",
        ) from None
    return {f"{_SCHEME}style": (css, "text/css"), **fonts}


def font_files() -> list[Path]:
    """Where the certificate's fonts must stand, in matplotlib's data; StageError when matplotlib is not installed."""
    # find_spec does not import matplotlib: only its font files are wanted here.
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise StageError("matplotlib's fonts were not found", next_step="install deid-audit again")
    folder = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"
    return [folder / f"{name}.ttf" for name in _FONTS]


def _context(case: CaseRecord, statement: bytes, figures: Sequence[Figure]) -> dict[str, Any]:
    values = tables.Values(case.measurements)
    scopes = values.scopes(len(case.originals))
    return {
        **shared_words(case, statement),
        "annexes": _annexes(case),
        "short": first_page.short_name,
        "untested": first_page.untested(case),
        "questions": [(one, questions.parts_of(one, case)) for one in questions.QUESTIONS],
        "log_entries": wording.log_entries(case.log_checkpoint),
        "files": case.outputs[:MAX_FILES_LISTED],
        "files_left_out": max(0, len(case.outputs) - MAX_FILES_LISTED),
        "bound": f"{100 * wording.failure_bound(1):.0f} %",
        "exam": exam_page,
        "exam_scopes": [(scope, heading) for scope, heading in scopes if scope != SUBJECT_SCOPE],
        "curves": exam_page.curves(figures),
        "scopes": scopes,
        "values": values,
        "tables": tables,
        "size": wording.size,
        "limit": wording.limit,
        "of_words": strings.OF_WORDS,
        "figures": [(number, one) for number, one in enumerate(figures) if not exam_page.is_curve(one)],
        "video_rows": tables.video_rows(case),
    }


def _annexes(case: CaseRecord) -> dict[str, dict[str, str]]:
    """Every annex by its name: what text calls it, its heading, and its address in the document."""
    rows = {}
    for name, title in wording.annex_titles(case.kind).items():
        letter = wording.letter(name)
        heading = TEXT["annex_heading"].format(letter=letter, title=title)
        rows[name] = {"words": wording.annex(name), "heading": heading, "id": f"annex-{letter.lower()}"}
    return rows


def write_pdf(
    html: str,
    resources: _Resources,
    statement: bytes | None,
    *,
    issued_at: datetime,
    finisher: Callable[[Any, Any], None] = add_signature_fields,
) -> bytes:
    """PDF/A of `html` with the certificate's style and fonts, the statement attached, where there is one, and fields.

    `resources` are the pictures by address: bytes and media type; `finisher` writes the empty signature fields. Raises
    StageError without the text libraries, where the folder for temporary files takes no fonts, and where `html` has no
    place for the signatures.
    """
    html_document = open_html(html, resources)
    import weasyprint  # noqa: PLC0415  (heavy; `open_html` says what it needs)

    attachments = []
    if statement is not None:
        attachments.append(
            weasyprint.Attachment(
                string=statement,
                name=STATEMENT_NAME,
                description=TEXT["statement_description"],
                created=issued_at,
                modified=issued_at,
                relationship="Data",
            )
        )
    with laying_out(issued_at):
        return bytes(
            html_document.write_pdf(pdf_variant=_VARIANT, pdf_tags=True, attachments=attachments, finisher=finisher)
        )


def open_html(html: str, resources: _Resources) -> Any:
    """WeasyPrint's document of `html`, with the certificate's fonts and style to ask for; it opens nothing else.

    Raises StageError without the text libraries.
    """
    resources = {**resources, **_own_resources()}
    try:
        import weasyprint  # noqa: PLC0415  (heavy, and needs system libraries)
        from weasyprint.urls import URLFetcher, URLFetcherResponse  # noqa: PLC0415
    except OSError:
        raise StageError(
            "the libraries that lay out text (Pango, HarfBuzz) are not installed", next_step=APT_COMMAND
        ) from None

    class Handed(URLFetcher):  # type: ignore[misc]
        """Serves what was handed in; every other address is refused, the network and the disk included."""

        def fetch(self, url: str, headers: Any = None) -> Any:
            if url not in resources:
                raise ValueError("only what was handed in may be opened")
            data, media_type = resources[url]
            return URLFetcherResponse(url, data, {"Content-Type": media_type})

    return weasyprint.HTML(string=html, base_url="about:blank", url_fetcher=Handed())


@contextmanager
def laying_out(issued_at: datetime) -> Iterator[None]:
    """For while a PDF is written: its date in SOURCE_DATE_EPOCH, and a StageError where temporary files do not fit.

    One of the two font subsetters stamps the clock without SOURCE_DATE_EPOCH.
    """
    name = "SOURCE_DATE_EPOCH"
    before = os.environ.get(name)
    os.environ[name] = str(int(issued_at.astimezone(UTC).timestamp()))
    try:
        yield
    except OSError as error:
        raise StageError(
            f"the certificate could not be laid out: {error.strerror or 'input/output error'}",
            next_step="check space and permissions of the folder for temporary files (TMPDIR), and run again",
        ) from None
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before

"""What the certificate and the board's report both say: how a template is filled, and the words and rows they share.

Between the case record and a template. Nothing is computed here.
"""

from collections.abc import Mapping
from typing import Any

from deid_audit.answers import AnswerFinding, valid_until
from deid_audit.certificate import first_page, strings, wording
from deid_audit.certificate.attachments import STATEMENT_NAME
from deid_audit.certificate.quoting import people_looked
from deid_audit.certificate.reviewed import review_sentences
from deid_audit.certificate.strings import TEXT
from deid_audit.context import FIELDS
from deid_audit.digests import sha256_bytes
from deid_audit.findings import CaseRecord, Finding, Outcome
from deid_audit.resources import resource_dir

_RANK = {Outcome.FAILED: 0, Outcome.INDETERMINATE: 1, Outcome.PASSED: 2, Outcome.NOT_APPLICABLE: 3}


def filled(name: str, values: Mapping[str, Any]) -> str:
    """A template of `templates/`, filled: every value is escaped, and one that nobody gave is an error."""
    import jinja2  # noqa: PLC0415  (heavy; commands that print no page do without)

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return str(environment.get_template(name).render(values))


def shared_words(case: CaseRecord, statement: bytes) -> dict[str, Any]:
    """Verdict, five numbers, rules and answers by the names that the templates have for them, what is not met first."""
    findings = sorted(enumerate(case.verdict.findings, start=1), key=lambda pair: _RANK[pair[1].outcome])
    outcomes = [finding.outcome for finding in case.verdict.findings]
    return {
        "text": TEXT,
        "case": case,
        "five": first_page.five_numbers(case),
        "statement_name": STATEMENT_NAME,
        "statement_sha256": sha256_bytes(statement),
        "statement_size": wording.size(len(statement)),
        "kind": strings.KIND_WORDS[case.kind],
        "verdict": strings.VERDICT_WORDS[case.verdict.outcome],
        "outcome": case.verdict.outcome.value.lower(),
        "tally": [(outcomes.count(one), words) for one, words in strings.TALLY_WORDS.items() if one in outcomes],
        "rules": [_rule_row(number, finding) for number, finding in findings],
        "answers": [_answer_row(one) for one in sorted(case.verdict.answers, key=lambda one: _RANK[one.outcome])],
        "unanswered": sum(one.outcome is not Outcome.PASSED for one in case.verdict.answers),
        "review": review_sentences(case),
        "viewers": people_looked(case).measured,
        "valid_until": valid_until(case.context),
    }


def _rule_row(number: int, finding: Finding) -> dict[str, Any]:
    rule = finding.rule
    return {
        "number": number,
        "title": wording.metric_title(rule.metric),
        "metric": rule.metric,
        "of": strings.OF_WORDS[rule.of],
        "observed": wording.observed(finding),
        "limit": wording.limit(rule),
        "where": finding.scope or TEXT["nowhere"],
        "outcome": finding.outcome.value,
        "words": strings.OUTCOME_WORDS[finding.outcome],
        "reason": "" if finding.outcome is Outcome.PASSED else finding.reason,
        "rule": rule,
    }


def _answer_row(finding: AnswerFinding) -> dict[str, Any]:
    return {
        "label": FIELDS[finding.asked.field].label,
        "field": finding.asked.field,
        "answer": TEXT["none"] if finding.answer is None else finding.answer,
        "outcome": finding.outcome.value,
        "words": strings.ANSWER_WORDS[finding.outcome],
        "reason": finding.reason if finding.outcome is Outcome.FAILED else "",
    }

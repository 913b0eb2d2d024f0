"""The outcome table against the table of the specification, written down here a second time."""

import pytest

from rdp_remediate.probe.outcome import OUTCOMES, Outcome

# outcome: (stage, verdict, confirmed)
SPECIFIED = """
dns_error          dns      error        no
tcp_timeout        tcp      filtered     yes
tcp_refused        tcp      refused      no
tcp_unreachable    tcp      unreachable  yes
tcp_reset          tcp      no_answer    yes
tcp_local_denied   tcp      error        no
x224_timeout       x224     no_answer    yes
x224_closed        x224     no_answer    yes
x224_reset         x224     no_answer    yes
x224_malformed     x224     no_answer    yes
not_rdp_http       x224     not_rdp      no
not_rdp_tls        x224     not_rdp      no
not_rdp_ssh        x224     not_rdp      no
not_rdp_other      x224     not_rdp      no
x224_refused       x224     degraded     no
standard_rdp       x224     degraded     no
neg_failure_cert   x224     degraded     no
entra_only         x224     ok           no
neg_failure_other  x224     degraded     no
tls_timeout        tls      degraded     yes
tls_closed         tls      degraded     yes
tls_reset          tls      degraded     yes
tls_error          tls      degraded     no
tls_ok             tls      ok           no
credssp_timeout    credssp  degraded     yes
credssp_closed     credssp  degraded     yes
credssp_reset      credssp  degraded     yes
credssp_malformed  credssp  degraded     no
nla_no_ntlm        credssp  ok           no
nla_ok             credssp  ok           no
"""
ROWS = [line.split() for line in SPECIFIED.strip().splitlines()]


def test_every_outcome_has_a_row() -> None:
    assert set(OUTCOMES) == set(Outcome) == {Outcome(row[0]) for row in ROWS}


@pytest.mark.parametrize(("word", "stage", "verdict", "confirm"), ROWS)
def test_rows_are_as_specified(word: str, stage: str, verdict: str, confirm: str) -> None:
    outcome = Outcome(word)
    assert (outcome.stage, outcome.verdict) == (stage, verdict)
    assert outcome.confirm is (confirm == "yes")
    assert outcome.sentence.endswith(".")

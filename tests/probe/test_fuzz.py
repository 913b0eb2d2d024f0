"""Whatever bytes come, a parser gives a value, asks for more, or raises MalformedError; nothing else."""

from collections.abc import Callable
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from rdp_remediate.errors import UsageError
from rdp_remediate.probe import banner, credssp, der, ntlm, x224
from rdp_remediate.probe.certificate import parse_contents, read_certificate
from rdp_remediate.probe.malformed import MalformedError
from rdp_remediate.probe.outcome import Outcome, ProbeVerdict
from rdp_remediate.probe.target import ProbeTarget, parse_connect_to
from tests.probe import peers
from tests.probe.certificates import make_identity
from tests.probe.fuzzing import FUZZ, mutations

CHALLENGE = peers.challenge()
TS_REQUEST = peers.ts_request(CHALLENGE, error_code=0xC00000BB)
CERTIFICATE = make_identity("VM-PROD-01", dns_names=("vm-prod-01.contoso.example",)).der

anything = st.binary(max_size=600)
answers = st.sampled_from(
    [peers.CONFIRM_NLA, peers.CONFIRM_XP, peers.CONFIRM_STANDARD, peers.DISCONNECT, peers.refusal(5)]
)


@FUZZ
@given(st.one_of(anything, answers.flatmap(mutations)))
def test_negotiation_answers(data: bytes) -> None:
    try:
        length = x224.tpkt_length(data)
    except MalformedError:
        assert banner.name_listener(data).verdict is ProbeVerdict.NOT_RDP
        return
    if length is None:
        assert len(data) < 4
        return
    assert 9 <= length <= 512
    try:
        answer = x224.parse_answer(data[:length])
    except MalformedError:
        return
    assert len(data) >= length
    if isinstance(answer, x224.ConnectionConfirm):
        assert x224.protocol_name(answer.selected)
    elif isinstance(answer, x224.NegotiationRefusal):
        assert answer.name


@FUZZ
@given(anything)
def test_banners(data: bytes) -> None:
    assert banner.name_listener(data) in Outcome


@FUZZ
@given(st.one_of(anything, mutations(TS_REQUEST)))
def test_ts_requests(data: bytes) -> None:
    try:
        length = credssp.message_length(data)
        if length is None:
            assert len(data) < 5
            return
        request = credssp.parse(data[:length])
    except MalformedError:
        return
    assert length <= 64 * 1024
    assert request.error_code is None or 0 <= request.error_code <= 0xFFFFFFFF
    assert request.token is None or request.token in data


@FUZZ
@given(st.one_of(anything, mutations(CHALLENGE)))
def test_challenges(data: bytes) -> None:
    try:
        challenge = ntlm.parse_challenge(data)
    except MalformedError:
        return
    assert data.startswith(b"NTLMSSP\x00\x02")
    assert challenge.system_time is None or challenge.system_time.tzinfo is not None
    assert challenge.nb_computer is None or len(challenge.nb_computer) * 2 <= len(data)


@FUZZ
@given(st.one_of(anything, mutations(TS_REQUEST)), st.integers(0, 40))
def test_der_elements(data: bytes, offset: int) -> None:
    try:
        for element in der.children(data, offset, len(data)):
            assert offset <= element.start <= element.end <= len(data)
            der.integer(data, element)
    except MalformedError:
        return


@FUZZ
@given(st.one_of(anything, mutations(CERTIFICATE)))
def test_certificates(data: bytes) -> None:
    certificate = read_certificate(data)
    assert len(certificate.sha1) == 40
    assert (certificate.contents is None) == bool(certificate.unreadable)
    try:
        contents = parse_contents(data)
    except MalformedError:
        assert certificate.contents is None
        return
    assert contents == certificate.contents


def decision(read_length: Callable[[bytes], int | None], data: bytes) -> int | str | None:
    try:
        return read_length(data)
    except MalformedError as error:
        return str(error)


@FUZZ
@given(
    st.one_of(
        st.tuples(st.just(x224.tpkt_length), st.one_of(anything, answers.flatmap(mutations))),
        st.tuples(st.just(credssp.message_length), st.one_of(anything, mutations(TS_REQUEST))),
    )
)
def test_bytes_one_at_a_time_decide_as_the_whole_does(
    case: tuple[Callable[[bytes], int | None], bytes],
) -> None:
    read_length, data = case
    whole = decision(read_length, data)
    steps = (decision(read_length, data[:size]) for size in range(len(data) + 1))
    # What is decided stays decided, and nothing is decided by bytes that the whole does not hold.
    assert next((one for one in steps if one is not None), None) == whole
    if whole is not None:
        first = next(size for size in count() if decision(read_length, data[:size]) is not None)
        assert first <= 5
        assert {decision(read_length, data[:size]) for size in range(first, len(data) + 1)} == {whole}


words = st.text(alphabet=st.characters(), max_size=40)
nearly = st.lists(
    st.sampled_from(
        [":", "[", "]", ".", "3389", "::1", "%eth0", "vm1", "203.0.113.7", "-1", " ", "\0", "\udcff", "9" * 5000]
    ),
    max_size=8,
).map("".join)


@FUZZ
@given(st.one_of(words, nearly))
def test_target_strings(text: str) -> None:
    try:
        target = ProbeTarget.parse(text)
    except UsageError:
        pass
    else:
        assert 1 <= target.port <= 65535
        assert target.host.isprintable()
        assert not set(target.host) & set(" /@?#[]")
    try:
        asked, real = parse_connect_to(text)
    except UsageError:
        return
    assert asked[0]
    assert real[0]

"""RFC 3161 timestamp tokens in one exact form: most of a token's envelope is covered by no signature.

What an authority answers is brought into this form before it is written, and a check takes no other. Whose token it
is, and of what, is not asked here.
"""

from typing import Any

from cryptography import x509 as pyca_x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from deid_audit.certificate.canonical import canonical_certificate, der_tlv
from deid_audit.signing_keys import exact_signature

HASHES = ("sha256", "sha384", "sha512")


def canonical_token(der: bytes) -> bytes:
    """The token rebuilt from what its authority signed; raises ValueError, in words, on what it cannot be.

    Kept are the TSTInfo and the signed attributes as they are, the signature's value (encoded anew), and of the
    certificates the signer's and those above it, without a root. Everything else is a constant. An authority may answer
    with the higher s: its signature is written with the lower one, which holds as well, and a check takes that alone.
    """
    from asn1crypto import algos, cms, core, x509  # noqa: PLC0415  (loaded with pyHanko only)

    token = cms.ContentInfo.load(der)
    if token["content_type"].native != "signed_data":
        raise ValueError("the timestamp is not a signed token")
    data = token["content"]
    wrapped = data["encap_content_info"]
    if wrapped["content_type"].native != "tst_info" or len(data["signer_infos"]) != 1:
        raise ValueError("the timestamp is not a token with one signature")
    info = data["signer_infos"][0]
    chain = _chain_of(info, data["certificates"])
    digest = str(info["digest_algorithm"]["algorithm"].native)
    kind = {"rsassa_pkcs1v15": "rsa", "ecdsa": "ecdsa"}.get(_signature_kind(info["signature_algorithm"], digest))
    if digest not in HASHES or kind is None:
        raise ValueError("the timestamp is signed with an algorithm that is not used here")
    hashed = algos.DigestAlgorithm({"algorithm": digest})
    signed_with: dict[str, Any] = {"algorithm": f"{digest}_{kind}"}
    if kind == "rsa":
        signed_with["parameters"] = core.Null()
    leaf = chain[0]
    name = cms.IssuerAndSerialNumber({"issuer": leaf.issuer, "serial_number": leaf.serial_number})
    signer = cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier({"issuer_and_serial_number": name}),
            "digest_algorithm": hashed,
            "signed_attrs": cms.CMSAttributes.load(der_tlv(0x31, bytes(info["signed_attrs"].contents))),
            "signature_algorithm": algos.SignedDigestAlgorithm(signed_with),
            "signature": exact_signature(info["signature"].native, _key_of(leaf, kind)),
        }
    )
    rebuilt = cms.SignedData(
        {
            "version": "v3",
            "digest_algorithms": [hashed],
            "encap_content_info": {
                "content_type": "tst_info",
                "content": core.ParsableOctetString(bytes(wrapped["content"])),
            },
            "certificates": [
                cms.CertificateChoices(
                    name="certificate", value=x509.Certificate.load(canonical_certificate(one.dump()))
                )
                for one in chain
            ],
            "signer_infos": [signer],
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": rebuilt}).dump())


def chain_in(der: bytes) -> list[bytes]:
    """The certificates of a token in that form (DER), the authority's own first."""
    from asn1crypto import cms  # noqa: PLC0415

    data = cms.ContentInfo.load(der)["content"]
    return [bytes(one.dump()) for one in _chain_of(data["signer_infos"][0], data["certificates"])]


def _chain_of(info: Any, choices: Any) -> list[Any]:
    """The signer's certificate and each one's issuer, as far as they are there; a root is the verifier's to have."""
    certificates = [one.chosen for one in choices if one.name == "certificate"]
    sid = info["sid"].chosen
    if info["sid"].name == "issuer_and_serial_number":
        wanted = (sid["issuer"].dump(), sid["serial_number"].native)
        own = [one for one in certificates if (one.issuer.dump(), one.serial_number) == wanted]
    else:
        own = [one for one in certificates if one.key_identifier == sid.native]
    if not own:
        raise ValueError("the timestamp does not hold its authority's certificate")
    chain = own[:1]
    while True:
        above = [one for one in certificates if one.subject.dump() == chain[-1].issuer.dump() and one not in chain]
        above = [one for one in above if one.subject.dump() != one.issuer.dump()]
        if not above:
            return chain
        chain.append(above[0])


def _key_of(certificate: Any, kind: str) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    """The authority's key, of any size and curve; ValueError where it is not of the kind that its signature names."""
    key = pyca_x509.load_der_x509_certificate(certificate.dump()).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey if kind == "ecdsa" else rsa.RSAPublicKey):
        raise ValueError("the timestamp's signature is of another kind than its authority's key")
    return key


def _signature_kind(algorithm: Any, digest: str) -> str:
    """The scheme, where it hashes as the token does: PKCS #1 v1.5 may leave its hash to be told there."""
    kind = str(algorithm.signature_algo)
    try:
        hashed = str(algorithm.hash_algo)
    except ValueError:
        hashed = digest
    return kind if hashed == digest else ""

#!/bin/sh
# Checks the folder that this script stands in against a signed attestation, with openssl and jq only:
#
#     sh verify.sh ATTESTATION STEWARD.crt [CHAIR.crt]
#
# ATTESTATION is attestation.dsse.json; the certificates (PEM) are those of the people who signed. Each check is one line.
# Exit status: 0 all of it holds; 1 something does not hold; 2 it could not be checked; 3 it holds, but the verdict is
# not PASSED. What it does not check is said at the end. It changes nothing, and nothing leaves this machine.
set -eu
LC_ALL=C
export LC_ALL
unset CDPATH

cannot() {
    echo "cannot check: $1" >&2
    exit 2
}

[ $# -eq 2 ] || [ $# -eq 3 ] || cannot "give the attestation and one or two certificates: sh verify.sh ATTESTATION STEWARD.crt [CHAIR.crt]"
for tool in openssl jq find sort comm cmp mktemp; do
    command -v "$tool" >/dev/null 2>&1 || cannot "$tool is not installed"
done
for file in "$@"; do
    [ -f "$file" ] && [ -r "$file" ] || cannot "one of the files given cannot be read"
done
root=$(cd -- "$(dirname -- "$0")" && pwd -P) || cannot "the folder of this script cannot be entered"
work=$(mktemp -d) || cannot "no folder for intermediate files"
trap 'rm -rf -- "$work"' EXIT
trap 'exit 2' HUP INT TERM
cat <"$1" >"$work/envelope" || cannot "the attestation cannot be read"
shift

broken=0
ok() { printf 'ok       %s\n' "$1"; }
failed() {
    printf 'FAILED   %s\n' "$1"
    broken=1
}
finish() {
    echo "Not checked here: whom you may trust (compare the certificates with what the signers gave you by another way), the"
    echo "signatures and the chair's decision in certificate.pdf, a validity that has run out, and a withdrawal: see VERIFY.txt."
    exit "$1"
}

# Decodes base64 and demands that it encodes again to the same text, so that there is one spelling only.
decode() {
    openssl base64 -d -A -in "$1" -out "$2" 2>/dev/null && [ -s "$2" ] || return 1
    openssl base64 -A -in "$2" -out "$2.again" && cmp -s "$1" "$2.again"
}

# ECDSA: s and n - s both fit, and only the lower one is taken: anybody could turn a signature into the other one.
lower_s() {
    case $(openssl pkey -pubin -in "$work/key" -noout -text_pub 2>/dev/null) in
    *prime256v1*) half=7FFFFFFF800000007FFFFFFFFFFFFFFFDE737D56D38BCF4279DCE5617E3192A8 ;;
    *secp384r1*) half=7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE3B1A6C0FA1B96EFAC0D06D9245853BD76760CB5666294B9 ;;
    *) return 0 ;;
    esac
    s=$(openssl asn1parse -inform DER -in "$work/sig" 2>/dev/null) || return 1
    s=${s##*:}
    [ ${#s} -lt ${#half} ] || { [ ${#s} -eq ${#half} ] && printf '%s\n%s\n' "$s" "$half" | sort -c 2>/dev/null; }
}

# --- the envelope, in its one exact form: sorted keys, no white space, nothing twice -----------------------------------
form='length == 1 and (.[0] | type == "object" and keys == ["payload", "payloadType", "signatures"]
    and .payloadType == "application/vnd.in-toto+json" and (.payload | type) == "string"
    and (.signatures | type) == "array" and (.signatures | length) > 0
    and all(.signatures[]; type == "object" and keys == ["keyid", "sig"] and (.sig | type) == "string"
        and (.keyid | type) == "string" and (.keyid | test("\\A[0-9a-f]{64}\\z")))
    and ([.signatures[].keyid] | unique | length) == (.signatures | length))'
if jq -e -s "$form" <"$work/envelope" >/dev/null 2>&1 && jq -j -c -S . <"$work/envelope" >"$work/canonical" 2>/dev/null &&
    cmp -s "$work/envelope" "$work/canonical" && jq -j .payload <"$work/envelope" >"$work/payload.b64" &&
    decode "$work/payload.b64" "$work/payload"; then
    ok "the attestation is in its exact form"
else
    failed "the attestation is damaged, or not in its exact form"
    finish 1
fi

# --- the signatures, each over the bytes that DSSE prescribes ----------------------------------------------------------
{
    printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(($(wc -c <"$work/payload")))"
    cat "$work/payload"
} >"$work/signed"
: >"$work/keyids"
number=0
for certificate in "$@"; do
    number=$((number + 1))
    openssl x509 -pubkey -noout <"$certificate" >"$work/key" 2>/dev/null || cannot "certificate $number is no certificate (PEM)"
    openssl pkey -pubin -in "$work/key" -outform DER -out "$work/spki" 2>/dev/null || cannot "the key of certificate $number cannot be read"
    keyid=$(openssl dgst -sha256 -r "$work/spki")
    keyid=${keyid%% *}
    if grep -q "$keyid" "$work/keyids"; then
        cannot "both certificates are of one key"
    fi
    echo "$keyid" >>"$work/keyids"
    jq -j --arg keyid "$keyid" '.signatures[] | select(.keyid == $keyid) | .sig' <"$work/envelope" >"$work/sig.b64"
    if [ ! -s "$work/sig.b64" ]; then
        failed "signature $number: there is none by the key of certificate $number"
    elif decode "$work/sig.b64" "$work/sig" &&
        openssl dgst -sha256 -verify "$work/key" -signature "$work/sig" "$work/signed" >/dev/null 2>&1 && lower_s; then
        ok "signature $number: by the key of certificate $number (sha256 $keyid)"
    else
        failed "signature $number: does not fit the attestation, or is not in its exact form"
    fi
done
sort "$work/keyids" >"$work/given"
jq -r '.signatures[].keyid' <"$work/envelope" | sort >"$work/signers"
if [ -z "$(comm -13 "$work/given" "$work/signers")" ]; then
    ok "nobody else signed"
else
    failed "somebody else signed, too, whose certificate was not given"
fi

# --- the statement: the names of its files must be plain before any of them is used ------------------------------------
plain='length == 1 and (.[0] | type == "object" and ._type == "https://in-toto.io/Statement/v1"
    and .predicateType == "urn:deid-audit:release:v1" and (.predicate.verificationResult | type) == "string"
    and (.subject | type) == "array" and (.subject | length) > 0
    and all(.subject[]; type == "object" and keys == ["digest", "name"]
        and (.digest | type) == "object" and (.digest | keys) == ["sha256"]
        and (.digest.sha256 | type) == "string" and (.digest.sha256 | test("\\A[0-9a-f]{64}\\z"))
        and (.name | type) == "string" and (.name | test("\\A[A-Za-z0-9._/-]+\\z"))
        and all(.name | split("/")[]; . != "" and . != "." and . != ".."))
    and ([.subject[].name] | unique | length) == (.subject | length))'
if jq -e -s "$plain" <"$work/payload" >/dev/null 2>&1; then
    ok "the statement names its files plainly"
else
    failed "the statement is no statement of deid-audit, or names a file in a way that is not safe"
    finish 1
fi

# --- the files: each one there with its digest, and nothing else -------------------------------------------------------
cd -- "$root"
jq -r '.subject[] | "\(.digest.sha256) \(.name)"' <"$work/payload" >"$work/files"
while read -r digest name; do
    if [ -L "./$name" ] || [ ! -f "./$name" ]; then
        failed "$name: missing"
    elif found=$(openssl dgst -sha256 -r <"./$name" 2>/dev/null) && [ "${found%% *}" = "$digest" ]; then
        ok "$name: unchanged"
    else
        failed "$name: changed"
    fi
done <"$work/files"
# A name with any other letter in it is none of the statement's; without such names, one line is one name.
if [ -n "$(find . ! -name . -name '*[!A-Za-z0-9._-]*' -print)" ]; then
    failed "the folder holds a file or folder whose name no certified file has"
fi
jq -r '[.subject[].name | split("/") | .[:range(1; length + 1)] | join("/")] | unique[]' <"$work/payload" | sort >"$work/named"
find . ! -name . -print | sed 's|^\./||' | sort >"$work/found"
if [ -z "$(comm -3 "$work/named" "$work/found")" ]; then
    ok "there is no other file in the folder"
else
    failed "the files in the folder are not those that the statement names"
    comm -13 "$work/named" "$work/found" | tr -c 'A-Za-z0-9._/\n-' '?' | sed 's/^/         not named in it: /'
fi

# --- the verdict -------------------------------------------------------------------------------------------------------
[ "$broken" -eq 0 ] || finish 1
if jq -e '.predicate.verificationResult == "PASSED"' <"$work/payload" >/dev/null; then
    ok "the verdict is PASSED"
    finish 0
fi
echo "3        the verdict is not PASSED: not to be released"
finish 3

"""Says what is in the certificate on stdin, one fact a line, as pyasn1 reads it."""
import base64
import sys

from pyasn1.codec.der.decoder import decode
from pyasn1.type import univ
from pyasn1_modules import rfc5280

pem = sys.stdin.read().split("-----BEGIN CERTIFICATE-----")[1].split("-----END")[0]
cert, rest = decode(base64.b64decode(pem), asn1Spec=rfc5280.Certificate())
assert not rest
tbs = cert["tbsCertificate"]


def say(*words):
    print(*words)


def names(who, name):
    for rdn in name["rdnSequence"]:
        assert len(rdn) == 1
        value, _ = decode(rdn[0]["value"])
        say(who, rdn[0]["type"], type(value).__name__, value)


say("version", int(tbs["version"]) + 1)
assert cert["signatureAlgorithm"] == tbs["signature"]
say("signature", tbs["signature"]["algorithm"])
names("issuer", tbs["issuer"])
names("subject", tbs["subject"])
say("after", tbs["validity"]["notAfter"].getComponent())
algorithm = tbs["subjectPublicKeyInfo"]["algorithm"]
parameters, _ = decode(algorithm["parameters"]) if algorithm["parameters"].hasValue() else ("", b"")
say("key", algorithm["algorithm"], parameters)


def basic(value, critical):
    v, _ = decode(value, asn1Spec=rfc5280.BasicConstraints())
    length = [int(v["pathLenConstraint"])] if v["pathLenConstraint"].hasValue() else []
    say("basicConstraints", *critical, "CA:TRUE" if v["cA"] else "CA:FALSE", *length)


def usage(value, critical):
    v, _ = decode(value, asn1Spec=rfc5280.KeyUsage())
    say("keyUsage", *critical, *[i for i, bit in enumerate(v) if bit])


def extended(value, critical):
    v, _ = decode(value, asn1Spec=rfc5280.ExtKeyUsageSyntax())
    say("extKeyUsage", *critical, *v)


def text(v):
    return bytes(v).decode() if isinstance(v, univ.OctetString) else str(v)


def alternative(value, critical):
    v, _ = decode(value, asn1Spec=rfc5280.SubjectAltName())
    for name in v:
        kind = name.getName()
        if kind == "otherName":
            inner, _ = decode(name["otherName"]["value"])
            say("otherName", name["otherName"]["type-id"], *[text(part) for part in inner.values()])
        elif kind == "uniformResourceIdentifier":
            say("uri", name[kind])


readers = {"2.5.29.19": basic, "2.5.29.15": usage, "2.5.29.37": extended, "2.5.29.17": alternative}
identifiers = {}
for extension in tbs["extensions"]:
    oid = str(extension["extnID"])
    say("extension", oid)
    if oid == "2.5.29.14":
        identifiers["own"] = bytes(decode(extension["extnValue"], asn1Spec=rfc5280.SubjectKeyIdentifier())[0])
    if oid == "2.5.29.35":
        value, _ = decode(extension["extnValue"], asn1Spec=rfc5280.AuthorityKeyIdentifier())
        identifiers["issuer"] = bytes(value["keyIdentifier"])
    if oid in readers:
        readers[oid](extension["extnValue"], ["critical"] if extension["critical"] else [])
if identifiers.get("own") and identifiers.get("own") == identifiers.get("issuer"):
    say("keys own")

"""Reads a message with pyasn1's modules of RFC 5652, 6402 and 4211 alone, layer by layer from the outside inward.
What was decoded is encoded again and must be the same octets. Prints a line a layer."""
import base64
import sys

from pyasn1.codec.der import decoder, encoder
from pyasn1.type import char, namedtype, tag, univ
from pyasn1_modules import rfc2986, rfc4211, rfc5280, rfc5652, rfc6402

DATA = "1.3.6.1.5.5.7.12.2"


class OtherInfo(univ.Choice):  # rfc6402 leaves out the tag of extendedFailInfo
    componentType = namedtype.NamedTypes(
        namedtype.NamedType("failInfo", rfc6402.CMCFailInfo()),
        namedtype.NamedType("pendInfo", rfc6402.PendInfo()),
        namedtype.NamedType("extendedFailInfo", univ.Sequence().subtype(
            implicitTag=tag.Tag(tag.tagClassContext, tag.tagFormatConstructed, 1))))


class CMCStatusInfoV2(univ.Sequence):
    componentType = namedtype.NamedTypes(
        namedtype.NamedType("cMCStatus", rfc6402.CMCStatus()),
        namedtype.NamedType("bodyList", univ.SequenceOf(componentType=rfc6402.BodyPartReference())),
        namedtype.OptionalNamedType("statusString", char.UTF8String()),
        namedtype.OptionalNamedType("otherInfo", OtherInfo()))


CONTROLS = {
    rfc6402.id_cmc_transactionId: univ.Integer(),
    rfc6402.id_cmc_senderNonce: univ.OctetString(),
    rfc6402.id_cmc_recipientNonce: univ.OctetString(),
    rfc6402.id_cmc_queryPending: univ.OctetString(),
    rfc6402.id_cmc_regInfo: univ.OctetString(),
    rfc6402.id_cmc_responseInfo: univ.OctetString(),
    rfc6402.id_cmc_batchRequests: rfc6402.BodyPartList(),
    rfc6402.id_cmc_responseBody: rfc6402.BodyPartPath(),
    rfc6402.id_cmc_lraPOPWitness: rfc6402.LraPopWitness(),
    rfc6402.id_cmc_modCertTemplate: rfc6402.ModCertTemplate(),
    rfc6402.id_cmc_statusInfoV2: CMCStatusInfoV2(),
    univ.ObjectIdentifier("2.25.111044168894393523651617990952196807275.10"): CMCStatusInfoV2(),
}


def read(der, spec):
    value, rest = decoder.decode(bytes(der), asn1Spec=spec)
    assert not rest, "octets behind it"
    assert encoder.encode(value) == bytes(der), "not the same when it is encoded again"
    return value


def controls(content):
    names = []
    for c in content["controlSequence"]:
        assert len(c["attrValues"]) == 1
        value = read(c["attrValues"][0], CONTROLS[c["attrType"]])
        names.append(type(value).__name__)
    return names


def requests(data):
    names = []
    for r in data["reqSequence"]:
        name, value = r.getName(), r.getComponent()
        if name == "tcr":
            read(encoder.encode(value["certificationRequest"]), rfc2986.CertificationRequest())
        else:
            assert value["popo"].getName() == "raVerified"
            assert isinstance(value, rfc4211.CertReqMsg)
        names.append(name)
    for o in data["otherMsgSequence"]:
        read(o["otherMsgValue"], rfc5280.SubjectPublicKeyInfo())
        names.append("key")
    return names


def layer(der, depth):
    info = read(der, rfc5652.ContentInfo())
    signed = read(info["content"], rfc5652.SignedData())
    for c in signed["certificates"]:
        read(encoder.encode(c["certificate"]), rfc5280.Certificate())
    assert len(signed["signerInfos"]) == 1
    what = str(signed["encapContentInfo"]["eContentType"])
    content = signed["encapContentInfo"]["eContent"]
    value = read(content, rfc6402.PKIData() if what == DATA else rfc6402.PKIResponse())
    attributes = len(signed["signerInfos"][0]["signedAttrs"])
    print(depth, type(value).__name__, "certificates", len(signed["certificates"]), "attributes", attributes,
          *controls(value), *(requests(value) if what == DATA else ()))
    for inner in value["cmsSequence"]:
        layer(encoder.encode(inner["contentInfo"]), depth + 1)


layer(base64.b64decode("".join(line for line in sys.stdin.read().splitlines() if not line.startswith("-"))), 1)

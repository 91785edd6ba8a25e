"""botocore's service models as a judge.

    aws_models.py CALLS    every request and answer in a file of awscalls has the shape of its
                           operation: members, types, lengths, patterns, what is required
    aws_models.py          in `carnet lab -- python3 …`: STS refuses each parameter beyond the
                           model's limits and no parameter within them, and no operation of S3
                           passes as another
"""
import base64
import json
import os
import re
import sys
import urllib.parse
import xml.etree.ElementTree as ET

import botocore
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import create_parser

SESSION = botocore.session.get_session()
cases = disagreements = 0


def disagree(name, text):
    global disagreements
    disagreements += 1
    print(f"disagreement: botocore: {name}: {text}", flush=True)


def model(service):
    return SESSION.get_service_model(service)


# What any operation may answer, and no model names.
COMMON = {
    "AccessDenied", "AccessDeniedException", "ValidationError", "ValidationException", "Throttling", "ExpiredToken", "ExpiredTokenException",
    "InvalidClientTokenId", "SignatureDoesNotMatch", "InvalidParameterValue", "ResourceNotFoundException",
    # of S3, whose model names hardly any
    "NoSuchKey", "NoSuchBucket",
}


def pattern(text):
    """A pattern of Java's, as Python reads it."""
    text = text.replace(r"\u10000-\u10FFFF", "\U00010000-\U0010FFFF")
    return text.replace(r"\p{L}", "a-zA-Z").replace(r"\p{Z}", " ").replace(r"\p{N}", "0-9")


def wrong(shape, value, at=""):
    """What is wrong with a value of a shape."""
    kind, meta = shape.type_name, shape.metadata
    if kind == "structure":
        if not isinstance(value, dict):
            return [f"{at} is no structure"]
        found = [f"{at}.{m} is missing" for m in shape.required_members if m not in value]
        found += [f"{at}.{m} is not in the model" for m in value if m not in shape.members]
        for name, one in value.items():
            if name in shape.members:
                found += wrong(shape.members[name], one, f"{at}.{name}")
        return found
    if kind == "list":
        found = limits(meta, len(value), at)
        for i, one in enumerate(value):
            found += wrong(shape.member, one, f"{at}[{i}]")
        return found
    if kind == "map":
        return [w for k, v in value.items() for w in wrong(shape.key, k, at) + wrong(shape.value, v, f"{at}[{k}]")]
    if kind in ("integer", "long"):
        if not isinstance(value, int) or isinstance(value, bool):
            return [f"{at} is no number: {value!r}"]
        return limits(meta, value, at)
    if kind == "boolean":
        return [] if isinstance(value, bool) else [f"{at} is no boolean: {value!r}"]
    if kind == "string":
        if not isinstance(value, str):
            return [f"{at} is no string: {value!r}"]
        found = limits(meta, len(value), at)
        if meta.get("enum") and value not in meta["enum"]:
            found.append(f"{at} is none of {meta['enum']}: {value!r}")
        if meta.get("pattern") and not re.fullmatch(pattern(meta["pattern"]), value):
            found.append(f"{at} does not match {meta['pattern']}: {value!r}")
        return found
    return []


def limits(meta, n, at):
    if not meta.get("min", n) <= n <= meta.get("max", n):
        return [f"{at}: {n} is not within {meta.get('min')} and {meta.get('max')}"]
    return []


def from_query(shape, form, prefix):
    """Reads a value of a shape out of a form, and takes what it reads away."""
    if shape.type_name == "structure":
        value = {}
        for name, member in shape.members.items():
            one = from_query(member, form, (prefix + "." if prefix else "") + member.serialization.get("name", name))
            if one is not None:
                value[name] = one
        return value or None
    if shape.type_name == "list":
        items = []
        while (one := from_query(shape.member, form, f"{prefix}.{shape.member.serialization.get('name', 'member')}.{len(items) + 1}")) is not None:
            items.append(one)
        return items or None
    text = form.pop(prefix, None)
    if text is None:
        return None
    if shape.type_name in ("integer", "long"):
        return int(text) if re.fullmatch(r"-?\d+", text) else text
    if shape.type_name == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text


def unknown_xml(shape, element, at):
    """The elements of an answer that the model does not have."""
    if shape.type_name == "list":
        return [w for one in element for w in unknown_xml(shape.member, one, at + "[]")]
    if shape.type_name != "structure":
        return []
    names = {m.serialization.get("name", n): m for n, m in shape.members.items()}
    found = []
    for one in element:
        tag = one.tag.rpartition("}")[2]
        if tag in names:
            found += unknown_xml(names[tag], one, f"{at}.{tag}")
        else:
            found.append(f"{at}.{tag} is not in the model")
    return found


HOSTS = [(r"sts(\.[a-z0-9-]+)?\.amazonaws\.com", "sts"), (r"redshift\.[a-z0-9-]+\.amazonaws\.com", "redshift"),
         (r"redshift-serverless\.[a-z0-9-]+\.amazonaws\.com", "redshift-serverless"), (r"redshift-data\.[a-z0-9-]+\.amazonaws\.com", "redshift-data"),
         (r"secretsmanager\.[a-z0-9-]+\.amazonaws\.com", "secretsmanager"), (r"([a-z0-9.-]+\.)?s3\.[a-z0-9-]+\.amazonaws\.com", "s3")]


def judge_call(call):
    host = call["Host"]
    service = next((s for p, s in HOSTS if re.fullmatch(p, host)), None)
    if service is None:
        return disagree(host, "no service that botocore has answers there")
    read = {"query": query_call, "json": json_call}.get(model(service).metadata["protocol"], s3_call)
    op, found = read(service, call)
    if op is None:
        return disagree(f"{service} {call['Method']} {call['URI']}", "; ".join(found))
    found += judge_answer(service, op, call)
    for w in found:
        disagree(f"{service}:{op.name}", w)


def query_call(service, call):
    form = dict(urllib.parse.parse_qsl(base64.b64decode(call["Body"] or "").decode(), keep_blank_values=True))
    name, version = form.pop("Action", None), form.pop("Version", None)
    if name not in model(service).operation_names:
        return None, [f"no operation {name}"]
    op, found = model(service).operation_model(name), []
    if version != model(service).api_version:
        found.append(f"version {version}")
    if call["Header"].get("Content-Type", [""])[0].split(";")[0] != "application/x-www-form-urlencoded":
        found.append(f"Content-Type {call['Header'].get('Content-Type')}")
    params = (from_query(op.input_shape, form, "") or {}) if op.input_shape else {}
    found += [f"parameter {k} is not in the model" for k in form]
    return op, found + (wrong(op.input_shape, params, "request") if op.input_shape else [])


def json_call(service, call):
    meta = model(service).metadata
    prefix, _, name = call["Header"].get("X-Amz-Target", ["."])[0].rpartition(".")
    if prefix != meta["targetPrefix"] or name not in model(service).operation_names:
        return None, [f"no operation {prefix}.{name}"]
    op, found = model(service).operation_model(name), []
    if call["Header"]["Content-Type"][0] != f"application/x-amz-json-{meta['jsonVersion']}":
        found.append(f"Content-Type {call['Header']['Content-Type']}")
    return op, found + wrong(op.input_shape, json.loads(base64.b64decode(call["Body"])), "request")


def s3_call(service, call):
    """The operation of S3 that has the method, the path and the query."""
    url = urllib.parse.urlsplit(call["URI"])
    query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
    virtual = not call["Host"].startswith("s3.")
    parts = [p for p in url.path.lstrip("/").split("/", 0 if virtual else 1) if p]
    key = len(parts) == (1 if virtual else 2)
    named = query.pop("x-id", None)
    for name in model("s3").operation_names:
        op = model("s3").operation_model(name)
        path, _, sub = op.http["requestUri"].partition("?")
        if op.http["method"] != call["Method"] or ("{Key+}" in path) != key or "{Bucket}" not in path:
            continue
        members = op.input_shape.members
        subs = {s.partition("=")[0] for s in sub.split("&") if s}
        known = {m.serialization["name"] for m in members.values() if m.serialization.get("location") == "querystring"}
        needed = {members[m].serialization["name"] for m in op.input_shape.required_members if members[m].serialization.get("location") == "querystring"}
        if subs <= query.keys() and needed <= query.keys() and query.keys() <= subs | known and (named in (None, name)):
            headers = {members[m].serialization["name"] for m in op.input_shape.required_members if members[m].serialization.get("location") == "header"}
            if all(h.title() in call["Header"] for h in headers):
                return op, []
    return None, ["no operation of S3 has this method, path and query"]


def judge_answer(service, op, call):
    body = base64.b64decode(call["Answer"] or "")
    headers = {k.lower(): v[0] for k, v in call["Answered"].items()}
    protocol = model(service).metadata["protocol"]
    if call["Status"] >= 300:
        parsed = create_parser(protocol).parse({"status_code": call["Status"], "headers": headers, "body": body}, op.output_shape)
        code = parsed.get("Error", {}).get("Code", "")
        known = {e.metadata.get("error", {}).get("code", e.name) for e in op.error_shapes} | {e.name for e in op.error_shapes} | COMMON
        return [] if code in known else [f"the error {code!r} is not the operation's"]
    if op.output_shape is None or op.has_streaming_output:
        return []
    if protocol == "json":
        answer = json.loads(body)
        return wrong_answer(op.output_shape, answer)
    parsed = create_parser(protocol).parse({"status_code": call["Status"], "headers": headers, "body": body}, op.output_shape)
    parsed.pop("ResponseMetadata", None)
    found = wrong_answer(op.output_shape, parsed)
    if protocol == "query":
        root = ET.fromstring(body)
        result = next(e for e in root if e.tag.endswith("Result"))
        found += unknown_xml(op.output_shape, result, "answer")
    return found


def wrong_answer(shape, value):
    # Lengths and patterns of answers are AWS's own affair; members and types are not.
    return [w for w in wrong(shape, value, "answer") if "is missing" in w or "not in the model" in w or "is no " in w]


def judge_calls(file):
    global cases
    with open(file) as lines:
        for line in lines:
            cases += 1
            judge_call(json.loads(line))


# Live: a lab answers at the endpoints that its environment names.

def client(service, **more):
    return SESSION.create_client(service, region_name="eu-west-1", config=Config(parameter_validation=False, retries={"max_attempts": 0}, s3={"addressing_style": "path"}), **more)


def answer(call, **params):
    try:
        call(**params)
        return "", ""
    except ClientError as e:
        return e.response["Error"]["Code"], e.response["Error"].get("Message", "")


TENANT = {"RoleArn": "arn:aws:iam::111122223333:role/carnet-t-acme", "RoleSessionName": "judge", "ExternalId": "5d1e6a3c-0b52-4c1e-8f57-0d4f0c1a7e21"}
BASES = {
    "AssumeRole": TENANT,
    "AssumeRoleWithWebIdentity": {"RoleArn": TENANT["RoleArn"], "RoleSessionName": "judge", "WebIdentityToken": "xxxx"},
    "GetWebIdentityToken": {"Audience": ["judge"], "SigningAlgorithm": "RS256"},
}


def filled(shape, n):
    """A text of a length that a shape's pattern takes, if one of these is."""
    for c in "1ax":
        text = c * n
        if not shape.metadata.get("pattern") or n == 0 or re.fullmatch(pattern(shape.metadata["pattern"]), text):
            return text
    return None


def edges(shape):
    """Values at both sides of each limit: a description, the value, and whether it is within."""
    meta, kind = shape.metadata, shape.type_name
    make = (lambda n: n) if kind in ("integer", "long") else (lambda n: filled(shape, n))
    if kind == "list":
        inner = sample(shape.member)
        make = lambda n: [inner(i) for i in range(n)]
    for limit, beyond in (("min", -1), ("max", 1)):
        if limit in meta:
            for n, within in ((meta[limit], True), (meta[limit] + beyond, False)):
                # An empty list is not sent at all, and so is the missing one.
                if n >= 0 and not (kind == "list" and n == 0) and make(n) is not None and not (meta.get("enum")):
                    yield f"{limit} {n}", make(n), within
    if meta.get("pattern"):
        yield "pattern", "\x00" * max(2, meta.get("min", 2)), False
    if meta.get("enum"):
        yield "enum", "Other", False


def sample(shape):
    """Makes the i-th of different members of a list."""
    if shape.type_name == "structure":
        members = {n: sample(m) for n, m in shape.members.items()}
        return lambda i: {n: make(i) for n, make in members.items()}
    low = max(shape.metadata.get("min", 1), 6)
    return lambda i: str(i).rjust(low, "a") if not shape.metadata.get("pattern", "").startswith("[\\u0009") else "arn:aws:iam::aws:contextProvider/" + str(i)


def judge_sts():
    global cases
    sts = client("sts")
    for name, base in BASES.items():
        op = model("sts").operation_model(name)
        call = getattr(sts, botocore.xform_name(name))
        for member in op.input_shape.required_members:
            cases += 1
            code, text = answer(call, **{k: v for k, v in base.items() if k != member})
            if code != "ValidationError":
                disagree(f"{name} without {member}", f"{code} {text}")
        for member, shape in op.input_shape.members.items():
            judge_member(name, call, base, member, shape, lambda v: v)
            if shape.type_name == "list":
                for inner, of in (shape.member.members if shape.member.type_name == "structure" else {"": shape.member}).items():
                    whole = sample(shape.member)(0)
                    judge_member(name, call, base, member, of, (lambda v, i=inner, w=whole: [{**w, i: v}]) if inner else (lambda v: [v]), inner)


def judge_member(name, call, base, member, shape, wrap, inner=""):
    global cases
    for what, value, within in edges(shape):
        cases += 1
        code, text = answer(call, **{**base, member: wrap(value)})
        refused = "validation error" in text
        if refused == within:
            disagree(f"{name} {member} {inner} {what}", f"{'within' if within else 'beyond'} the model's limits, and answered {code or 'well'} {text[:200]}")


# What the session of a place to read and write in may do; all else is refused. To select is
# to read, and to rename to write, which the lab permits and does not do.
MAY = {
    "GetObject", "HeadObject", "SelectObjectContent", "PutObject", "CopyObject", "RenameObject", "DeleteObject", "DeleteObjects",
    "CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload", "AbortMultipartUpload", "ListParts",
}


def minimal(shape, name=""):
    kind = shape.type_name
    if kind == "structure":
        members = shape.required_members or (list(shape.members)[:1] if name == "" else [])
        return {m: minimal(shape.members[m], m) for m in members}
    if kind == "list":
        return [minimal(shape.member, name)]
    if kind == "map":
        return {}
    if kind in ("integer", "long"):
        return 1
    if kind == "boolean":
        return True
    if kind == "timestamp":
        return 1_900_000_000
    if kind == "blob":
        return b"x"
    if shape.metadata.get("enum"):
        return shape.metadata["enum"][0]
    return {"Bucket": "acme-lake", "Key": "from-operator/judge", "CopySource": "acme-lake/from-operator/judge", "UploadId": "x"}.get(name, "x")


def judge_s3():
    global cases
    import subprocess
    vended = subprocess.run(["carnet", "vend", "acme/lake", "--json"], check=True, capture_output=True).stdout
    s = json.loads(vended)["session"]
    s3 = client("s3", aws_access_key_id=s["access_key_id"], aws_secret_access_key=s["secret_access_key"], aws_session_token=s["session_token"])
    for name in model("s3").operation_names:
        op = model("s3").operation_model(name)
        if "{Bucket}" not in op.http["requestUri"] or name == "CreateSession":
            continue  # of other hosts, and of directory buckets
        cases += 1
        params = {m: minimal(op.input_shape.members[m], m) for m in op.input_shape.required_members}
        code, text = answer(getattr(s3, botocore.xform_name(name)), **params)
        if (code in ("AccessDenied", "403")) == (name in MAY):
            disagree(f"s3:{name}", f"answered {code or 'well'} {text[:200]}")


if len(sys.argv) > 1:
    judge_calls(sys.argv[1])
else:
    os.environ.pop("AWS_PROFILE", None)
    judge_sts()
    judge_s3()
print(f"judge: botocore-{'calls' if len(sys.argv) > 1 else 'lab'} {botocore.__version__}: {cases} cases, {disagreements} disagreements")

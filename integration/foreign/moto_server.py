"""moto's server, with what it lacks of AWS for terraform/examples/aws-only: moto_server.py PORT

Conditions on aws:SecureTransport, since everything here is loopback without TLS; the conditions
that AddPermission writes for a function's URL; and deleting a version that is a delete marker.
"""

import sys

import moto.awslambda.policy as permissions
import moto.iam.access_control as access
import moto.s3.models as s3
from moto.server import main

permitted = access.IAMPolicyStatement.is_action_permitted


def is_action_permitted(self, *args, **kwargs):
    if "aws:SecureTransport" in self._statement.get("Condition", {}).get("Bool", {}):
        return access.PermissionResult.NEUTRAL
    return permitted(self, *args, **kwargs)


access.IAMPolicyStatement.is_action_permitted = is_action_permitted

decode = permissions.Policy.decode_policy


def decode_policy(self, obj):
    auth, via_url = obj.pop("FunctionUrlAuthType", None), obj.pop("InvokedViaFunctionUrl", None)
    policy = decode(self, obj)
    condition = policy.statements[-1].setdefault("Condition", {})
    if auth:
        condition.setdefault("StringEquals", {})["lambda:FunctionUrlAuthType"] = auth
    if via_url:
        condition.setdefault("Bool", {})["lambda:InvokedViaFunctionUrl"] = "true"
    if not condition:
        del policy.statements[-1]["Condition"]
    return policy


permissions.Policy.decode_policy = decode_policy
s3.FakeDeleteMarker.dispose = lambda self: None

main(["-H", "127.0.0.1", "-p", sys.argv[1]])

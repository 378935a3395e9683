"""moto's server, made to refuse what AWS refuses and moto lets pass.

    moto_strict.py -H 127.0.0.1 -p PORT

- A condition of a trust policy whose key the request does not have is not met: an absent external id is a wrong one.
- A role that does not exist cannot be assumed.
- A condition on the prefix that a listing asks for (`StringLike` of `s3:prefix`) is held against the request, which has none
  unless it lists; a statement whose condition is not met allows nothing, and forbids nothing either.
- Reading an object that is absent is refused to whoever may not list the whole bucket: that it is absent is not told then.
- Asking how a bucket is encrypted takes `s3:GetEncryptionConfiguration`, and not the right to list.
- A session that has ended is refused with `ExpiredToken`.
- A refusal of STS has the form of AWS's, so that SDKs find its code: `<ErrorResponse><Error>`, without `<Errors>`.

What it still lets pass is in the README beside it. This changes what moto keeps to itself, so `requirements.txt` pins
moto; the first test of the suite is refused an absent external id.
"""

import fnmatch
import sys
import threading
from urllib.parse import parse_qs, urlsplit

from moto.core import exceptions
from moto.core.utils import utcnow
from moto.iam import access_control, policy_conditions
from moto.iam.exceptions import NotFoundException
from moto.s3 import responses
from moto.s3.exceptions import S3ClientError
from moto.s3.models import s3_backends
from moto.server import main
from moto.sts.models import sts_backends

ACCOUNT = "123456789012"


def is_met(condition, actual):
    """Whether a condition holds. `actual` has the values of those keys alone that the request has."""
    if len(actual) < len(condition.context_keys):
        return False
    holds = policy_conditions.CONDITION_OPERATIONS[condition._condition]
    return all(holds(expected, value) for expected, value in zip(condition._expected_value, actual))


policy_conditions.TrustCondition.verify_condition = is_met


def is_like(expected, actual):
    return any(fnmatch.fnmatchcase(actual, one) for one in ([expected] if isinstance(expected, str) else expected))


policy_conditions.CONDITION_OPERATIONS["StringLike"] = is_like

# What the request that a thread answers says of itself, by the keys that conditions know.
of_request = threading.local()

is_permitted_by_statement = access_control.IAMPolicyStatement.is_action_permitted


def is_action_permitted(statement, action, resource="*", principal=None, incoming_condition_values=None):
    values = incoming_condition_values
    if values is None:
        values = getattr(of_request, "values", {})
        if not statement._check_conditions(values):
            return access_control.PermissionResult.NEUTRAL
    return is_permitted_by_statement(statement, action, resource, principal, values)


access_control.IAMPolicyStatement.is_action_permitted = is_action_permitted

responses.ACTION_MAP["BUCKET"]["GET"]["encryption"] = "GetEncryptionConfiguration"

is_permitted_to_moto = access_control.IAMRequestBase.check_action_permitted


def check_action_permitted(request, resource):
    if request._action == "sts:AssumeRole":
        try:
            request.backend.get_role_by_arn(resource)
        except NotFoundException:
            request._raise_access_denied()
    if has_ended(request._access_key):
        raise S3ClientError("ExpiredToken", "The provided token has expired.")
    prefix = parse_qs(urlsplit(request._path).query, keep_blank_values=True).get("prefix")
    of_request.values = {"s3:prefix": prefix[0]} if prefix else {}
    is_permitted_to_moto(request, resource)
    if request._action == "s3:GetObject" and is_absent(resource):
        # A request for an object names no prefix, and so fulfils no condition on it.
        request._action = "s3:ListBucket"
        is_permitted_to_moto(request, resource.split("/")[0])


def is_absent(resource):
    bucket, _, key = resource.split(":::")[1].partition("/")
    return key not in s3_backends[ACCOUNT]["aws"].buckets[bucket].keys


def has_ended(key):
    if not isinstance(key, access_control.AssumedRoleAccessKey):
        return False
    sessions = sts_backends[key.account_id][key.partition].assumed_roles
    return any(session.access_key_id == key._access_key_id and session.expiration < utcnow() for session in sessions)


access_control.IAMRequestBase.check_action_permitted = check_action_permitted

make_error = exceptions._RESTError.__init__


def make_error_as_aws(error, *arguments, **options):
    make_error(error, *arguments, **options)
    error.description = error.description.replace("<Errors>", "").replace("</Errors>", "")


exceptions._RESTError.__init__ = make_error_as_aws

main(sys.argv[1:])

"""boto3, unmodified, with the session that carnet's container endpoint gives it."""
import os

import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3", endpoint_url=os.environ["LAB_S3"], region_name="eu-west-1")
s3.put_object(Bucket="acme-lake", Key="from-operator/by-boto3", Body=b"hello")
assert s3.get_object(Bucket="acme-lake", Key="from-operator/by-boto3")["Body"].read() == b"hello"
try:
    s3.put_object(Bucket="acme-lake", Key="theirs/by-boto3", Body=b"hello")
except ClientError as e:
    assert e.response["Error"]["Code"] == "AccessDenied", e
else:
    raise SystemExit("boto3 wrote outside the prefix")
print("boto3", boto3.__version__)

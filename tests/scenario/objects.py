"""The object store as a client of it."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

from tests.scenario.stack import Stack


def client(stack: Stack, timeout: float = 5) -> Any:
    """An S3 client that goes through the virtual address."""
    store = stack.endpoints["object_store"]
    identity = (stack.endpoints["client"]["certificate"], stack.endpoints["client"]["key"])
    return boto3.client(
        "s3",
        endpoint_url=store["url"],
        region_name="garage",
        aws_access_key_id=store["access_key"],
        aws_secret_access_key=store["secret_key"],
        verify=stack.endpoints["ca"],
        config=Config(
            client_cert=identity,
            connect_timeout=timeout,
            read_timeout=timeout,
            # As every client of S3 does: what is under way with a host that vanishes is asked again.
            retries={"total_max_attempts": 3, "mode": "standard"},
            s3={"addressing_style": "path"},
            proxies={},
        ),
    )


def round_trip(stack: Stack, key: str, content: bytes) -> bytes:
    """What comes back of an object that was just written; the object is removed again."""
    s3, bucket = client(stack), stack.endpoints["object_store"]["bucket"]
    s3.put_object(Bucket=bucket, Key=key, Body=content)
    found: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.delete_object(Bucket=bucket, Key=key)
    return found

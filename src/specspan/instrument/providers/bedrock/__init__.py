"""Amazon Bedrock's runtime client of ``botocore``, which ``boto3`` uses."""

from specspan.instrument.providers.bedrock.adapters import ADAPTERS

__all__ = ["ADAPTERS"]

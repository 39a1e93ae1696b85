"""Amazon Bedrock through ``botocore``, and so through ``boto3``."""

from specspan.instrument.providers.bedrock.adapters import ADAPTERS

__all__ = ["ADAPTERS"]

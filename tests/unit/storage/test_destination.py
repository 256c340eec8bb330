"""Where a destination's requests go, and which destinations cannot be right."""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

import pytest
from obstore.store import AzureStore, S3Store

from callboard.storage import Bucket, Destination, SettingsError, api_url_seconds
from callboard.storage.destination import connect, s3_endpoint

AZURE_KEY = base64.b64encode(b"azure-account-key").decode()


@pytest.mark.parametrize(
    ("destination", "endpoint", "path_style"),
    [
        (Destination("s3", "buck"), "https://buck.s3.us-east-1.amazonaws.com", False),
        (Destination("s3", "buck", region="eu-central-1"), "https://buck.s3.eu-central-1.amazonaws.com", False),
        (Destination("s3", "buck", region="cn-north-1"), "https://buck.s3.cn-north-1.amazonaws.com.cn", False),
        (Destination("s3", "my.buck"), "https://s3.us-east-1.amazonaws.com", True),  # no certificate has two levels
        (Destination("s3", "buck", path_style=True), "https://s3.us-east-1.amazonaws.com", True),
        (Destination("s3", "buck", endpoint="http://minio:9000/"), "http://minio:9000", True),
        (Destination("s3", "buck", endpoint="https://[::1]:9"), "https://[::1]:9", True),
        (Destination("s3", "buck", endpoint="https://r2.test", path_style=False), "https://buck.r2.test", False),
        (Destination("gs", "my_buck"), "https://storage.googleapis.com", True),
        (Destination("oss", "buck", region="cn-hangzhou"), "https://buck.oss-cn-hangzhou.aliyuncs.com", False),
        (Destination("oss", "buck", region="oss-cn-hangzhou"), "https://buck.oss-cn-hangzhou.aliyuncs.com", False),
        (Destination("oss", "buck", endpoint="https://oss.test", path_style=True), "https://buck.oss.test", False),
    ],
)
def test_the_endpoint_of_each_provider(destination: Destination, endpoint: str, path_style: bool) -> None:
    assert s3_endpoint(destination) == (endpoint, path_style)


@pytest.mark.parametrize(
    ("destination", "start"),
    [
        (Destination("s3", "buck", "id", "hush"), "https://buck.s3.us-east-1.amazonaws.com/a%20b?X-Amz-Algorithm="),
        (Destination("s3", "buck", "id", "hush", endpoint="http://minio:9000"), "http://minio:9000/buck/a%20b?X-Amz-"),
        (Destination("gs", "buck", "id", "hush"), "https://storage.googleapis.com/buck/a%20b?X-Amz-Algorithm="),
        (Destination("oss", "buck", "id", "hush", "cn-x"), "https://buck.oss-cn-x.aliyuncs.com/a%20b?X-Amz-"),
        (Destination("azure", "buck", "acc", AZURE_KEY), "https://acc.blob.core.windows.net/buck/a%20b?"),
    ],
)
async def test_a_signed_url_goes_there_and_has_no_secret(destination: Destination, start: str) -> None:
    url = await Bucket(destination).presigned_url("a b", 60)
    assert url.startswith(start)
    assert "hush" not in url
    assert AZURE_KEY not in url
    assert urlsplit(url).query


async def test_the_region_is_signed() -> None:
    oss = await Bucket(Destination("oss", "buck", "id", "hush", "oss-cn-x")).presigned_url("a", 60)
    assert "%2Fcn-x%2Fs3%2Faws4_request" in oss
    google = await Bucket(Destination("gs", "buck", "id", "hush")).presigned_url("a", 60)
    assert "%2Fauto%2Fs3%2Faws4_request" in google


def test_each_type_has_its_client() -> None:
    assert isinstance(connect(Destination("s3", "buck", "id", "hush"), 1), S3Store)
    assert isinstance(connect(Destination("oss", "buck", "id", "hush", "cn-x"), 1), S3Store)
    assert isinstance(connect(Destination("gs", "buck", "id", "hush"), 1), S3Store)
    assert isinstance(connect(Destination("azure", "buck", "acc", AZURE_KEY), 1), AzureStore)


@pytest.mark.parametrize(
    "destination",
    [
        Destination("s3", "", "id", "hush"),
        Destination("s3", "a", "id", "hush"),
        Destination("s3", "bad bucket", "id", "hush"),  # obstore panics on these
        Destination("s3", "bucket/..?", "id", "hush"),
        Destination("s3", "bücket", "id", "hush"),
        Destination("s3", "bucket\n", "id", "hush"),
        Destination("s3", "buck", "id", "hush", region="eu/../x"),
        Destination("s3", "buck", "id", "hush", region="evil.test#"),
        Destination("s3", "buck", "id", "hush", endpoint="minio:9000"),
        Destination("s3", "buck", "id", "hush", endpoint="ftp://minio"),
        Destination("s3", "buck", "id", "hush", endpoint="http://minio/buck"),
        Destination("s3", "buck", "id", "hush", endpoint="http://user:hush@minio"),
        Destination("s3", "buck", "id", "hush", endpoint="http://minio?x=1"),
        Destination("s3", "buck", "id", "hush", endpoint="http://["),
        Destination("s3", "buck", "id", "hush", endpoint="http://"),
        Destination("s3", "buck", "", "hush"),
        Destination("s3", "buck", "id", ""),
        Destination("oss", "buck", "id", "hush"),
        Destination("gs", "buck", "", ""),
        Destination("gs", "buck", "", "hush"),
        Destination("azure", "buck", "acc", "hush hush"),
        Destination("azure", "buck", "acc", ""),
        Destination("azure", "buck", "Not-An-Account", AZURE_KEY),
    ],
)
def test_what_cannot_be_right_is_refused_without_showing_it(destination: Destination) -> None:
    with pytest.raises(SettingsError) as raised:
        Bucket(destination)
    assert not raised.value.retryable
    assert "hush" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    assert "hush" not in repr(destination).replace("hush@", "")


def test_a_repr_has_no_credentials() -> None:
    destination = Destination("s3", "buck", "the-id", "the-secret")
    shown = f"{destination!r} {destination} {Bucket(destination)!r}"
    assert "buck" in shown
    assert "the-" not in shown


def test_urls_of_the_api_live_three_days_and_nine_hours_at_oss() -> None:
    # platform.md §5.3
    assert [api_url_seconds(scheme) for scheme in ("s3", "gs", "azure", "local")] == [3 * 86_400] * 4
    assert api_url_seconds("oss") == 9 * 3600

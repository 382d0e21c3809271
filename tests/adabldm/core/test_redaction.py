"""What is secret in a text is not shown; what only looks a little like it is."""

from __future__ import annotations

import pytest

from adabldm.core.faults import InputFault, JobFault, one_line
from adabldm.core.redaction import holds_password, redacted

SECRET = "hunter2AbC"


@pytest.mark.parametrize(
    "text",
    [
        f"s3://AKIA123:{SECRET}@bucket/a.png: not there",
        f"model: 'https://me:{SECRET}@host:99/x'",
        f"https://host/a.png?X-Amz-Signature={SECRET}&x=1",
        f"https://host/a.png?x=1&X-Amz-Security-Token={SECRET}",
        f"(https://host/a.png?X-Amz-Credential={SECRET})",
        f"az://box/a?sv=2024&sig={SECRET}'",
        f"gs://b/a?token={SECRET}",
        f"AccountName=me;AccountKey={SECRET};x",
        f"said: AWS_SECRET_ACCESS_KEY={SECRET}",
        f"http://host/?GoogleAccessId=a&Signature={SECRET}",
    ],
)
def test_secrets_are_not_shown(text: str) -> None:
    assert SECRET not in redacted(text)
    assert "***" in redacted(text)
    assert SECRET not in str(JobFault(text))
    assert SECRET not in str(InputFault("a", text))
    assert SECRET not in "".join(InputFault.of("model", text, "rule").lines)
    assert SECRET not in one_line(ValueError(text))


@pytest.mark.parametrize(
    "text",
    [
        "row 3: prompt: 'a token of rust=red': must be shorter",
        "abfs://box@account.dfs.core.windows.net/plan",
        "sleep://5?accept=0.5&size=64",
        "s3://bucket/a@b:c.png",
        "me@host.example: no such file",
        "--limit coverage=0.6",
    ],
)
def test_other_texts_are_as_they_are(text: str) -> None:
    assert redacted(text) == text
    assert not holds_password(text)

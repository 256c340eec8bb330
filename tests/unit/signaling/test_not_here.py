"""What clients may ask for and this server does not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from callboard.signaling.methods.later import NOT_HERE
from callboard.testing.house import Refused, open_house


@pytest.mark.parametrize("method", NOT_HERE)
async def test_it_is_refused_for_good_and_in_words_for_people(tmp_path: Path, method: str) -> None:
    async with open_house(tmp_path) as house:
        phone = await house.join("a")
        with pytest.raises(Refused, match="not available on this server") as refused:
            await phone.call(method, meeting_url="https://example.org", record=True)
        assert not 500 <= refused.value.code <= 599  # clients would ask thrice
        assert house.events()[-1][0] == "peer.join.success"

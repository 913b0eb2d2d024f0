"""What every kind of records must do; each kind runs these tests with its own fixture `records`."""

import asyncio
from typing import Any

import pytest

from rdp_remediate.errors import RecordChangedError, RecordExistsError, StoreError
from rdp_remediate.ports import Record, Records

HARD_KEYS = [
    "plain",
    "subscriptions/s/resourceGroups/rg#1?x=\\y",
    "with space and %20 and !2f;",
    "ümläut-東京-\U0001f600",
    "new\nline\ttab\x7f",
    "quote'quote\"",
    ":|@.-_()~",
]


class RecordsContract:
    async def test_row_comes_back_as_it_was(self, records: Records) -> None:
        value = {"a": [1, None, True, 1.5], "ü": "東京 \U0001f600", "empty": {}, "text": "'\"\\\n"}
        etag = await records.insert("runs", "one", value)
        assert await records.get("runs", "one") == Record("one", value, etag)
        assert await records.get("runs", "two") is None
        assert await records.get("locks", "one") is None

    async def test_insert_takes_a_free_key_only(self, records: Records) -> None:
        await records.insert("locks", "vm", {"run_id": "a"})
        with pytest.raises(RecordExistsError):
            await records.insert("locks", "vm", {"run_id": "b"})
        found = await records.get("locks", "vm")
        assert found is not None
        assert found.value == {"run_id": "a"}

    async def test_replace_needs_the_version_that_was_read(self, records: Records) -> None:
        first = await records.insert("runs", "r", {"n": 1})
        second = await records.replace("runs", "r", {"n": 2}, first)
        assert second != first
        with pytest.raises(RecordChangedError):
            await records.replace("runs", "r", {"n": 3}, first)
        found = await records.get("runs", "r")
        assert found is not None
        assert (found.value, found.etag) == ({"n": 2}, second)

    async def test_replace_of_a_row_that_is_gone_or_never_was(self, records: Records) -> None:
        etag = await records.insert("runs", "gone", {})
        await records.delete("runs", "gone")
        with pytest.raises(RecordChangedError):
            await records.replace("runs", "gone", {"n": 1}, etag)
        assert await records.get("runs", "gone") is None

    async def test_row_made_again_is_another_version(self, records: Records) -> None:
        old = await records.insert("runs", "again", {"n": 1})
        await records.delete("runs", "again")
        await records.insert("runs", "again", {"n": 1})
        with pytest.raises(RecordChangedError):
            await records.replace("runs", "again", {"n": 2}, old)

    async def test_unconditional_replace_makes_or_overwrites(self, records: Records) -> None:
        await records.replace("operations", "o", {"n": 1}, None)
        etag = await records.replace("operations", "o", {"n": 2}, None)
        found = await records.get("operations", "o")
        assert found == Record("o", {"n": 2}, etag)

    async def test_delete(self, records: Records) -> None:
        await records.delete("runs", "nothing")
        await records.delete("runs", "nothing", "W/\"datetime'2026-01-01T00%3A00%3A00Z'\"")
        etag = await records.insert("runs", "d", {"n": 1})
        newer = await records.replace("runs", "d", {"n": 2}, etag)
        with pytest.raises(RecordChangedError):
            await records.delete("runs", "d", etag)
        await records.delete("runs", "d", newer)
        assert await records.get("runs", "d") is None

    @pytest.mark.parametrize("key", HARD_KEYS)
    async def test_any_key_can_be_kept(self, key: str, records: Records) -> None:
        etag = await records.insert("runs", key, {"key": key})
        assert await records.get("runs", key) == Record(key, {"key": key}, etag)
        assert [record.key async for record in records.scan("runs", key)] == [key]
        await records.delete("runs", key)

    async def test_key_beyond_every_limit_is_refused(self, records: Records) -> None:
        with pytest.raises(StoreError):
            await records.insert("runs", "x" * 600, {})

    async def test_scan_gives_a_prefix_in_order(self, records: Records) -> None:
        for key in ["b:2", "a:2", "a:10", "a", "a:1", "aa:1", "A:1", "a/1"]:
            await records.insert("journal", key, {"key": key})
        await records.insert("other", "a:0", {})
        assert [r.key async for r in records.scan("journal", "a:")] == ["a:1", "a:10", "a:2"]
        assert [r.value["key"] async for r in records.scan("journal")][:2] == ["A:1", "a"]
        assert {r.key async for r in records.scan("journal", "a")} == {"a", "a/1", "a:1", "a:10", "a:2", "aa:1"}
        assert [r.key async for r in records.scan("journal", "zz")] == []

    async def test_scan_survives_changes_on_its_way(self, records: Records) -> None:
        for number in range(20):
            await records.insert("many", f"{number:03}", {})
        seen: list[str] = []
        async for record in records.scan("many"):
            seen.append(record.key)
            await records.delete("many", record.key, record.etag)
        assert seen == [f"{number:03}" for number in range(20)]
        assert [r.key async for r in records.scan("many")] == []

    async def test_large_value_is_kept_whole(self, records: Records) -> None:
        for size in (31_999, 32_001, 200_000, 2_000_000):
            value: dict[str, Any] = {"text": "ä" * (size // 2) + "x" * (size // 2), "size": size}
            etag = await records.replace("runs", "large", value, None)
            found = await records.get("runs", "large")
            assert found == Record("large", value, etag)
        smaller = await records.replace("runs", "large", {"small": 1}, etag)
        assert [r async for r in records.scan("runs", "large")] == [Record("large", {"small": 1}, smaller)]

    async def test_blobs(self, records: Records) -> None:
        assert await records.get_blob("bundles/r/1.json") is None
        await records.put_blob("bundles/r/1.json", b"first")
        await records.put_blob("bundles/r/1.json", b"\x00second")
        assert await records.get_blob("bundles/r/1.json") == b"\x00second"

    @pytest.mark.parametrize("name", ["", "/x", "../x", "a/../b", "a//b", "a b", "x" * 1000])
    async def test_hostile_blob_name_is_refused(self, name: str, records: Records) -> None:
        with pytest.raises(StoreError):
            await records.put_blob(name, b"")
        with pytest.raises(StoreError):
            await records.get_blob(name)

    async def test_one_of_many_wins_an_insert(self, records: Records) -> None:
        async def take(who: int) -> int | None:
            try:
                await records.insert("locks", "contended", {"who": who})
            except RecordExistsError:
                return None
            return who

        winners = [who for who in await asyncio.gather(*(take(who) for who in range(8))) if who is not None]
        found = await records.get("locks", "contended")
        assert found is not None
        assert [found.value["who"]] == winners

    async def test_one_of_many_wins_a_replace(self, records: Records) -> None:
        etag = await records.insert("runs", "contended", {"who": None})

        async def take(who: int) -> int | None:
            try:
                await records.replace("runs", "contended", {"who": who}, etag)
            except RecordChangedError:
                return None
            return who

        winners = [who for who in await asyncio.gather(*(take(who) for who in range(8))) if who is not None]
        found = await records.get("runs", "contended")
        assert found is not None
        assert [found.value["who"]] == winners

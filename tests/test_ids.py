"""Which row of the index belongs to which key: against two plain dicts, in any order of coming and going."""

import random

from llmfast._ids import Ids


def test_keys_and_ids_agree_with_two_dicts():
    choose = random.Random(5)
    ids, id_of, key_of, last = Ids(), {}, {}, -1
    for step in range(20_000):
        key = choose.randrange(3_000).to_bytes(2, "little") + b"rest"
        if key in id_of:
            row_id = id_of.pop(key)
            del key_of[row_id]
            assert ids.remove(key) == row_id
        else:
            assert ids.remove(key) is None
            row_id = ids.add(key)
            assert row_id > last
            id_of[key], key_of[row_id], last = row_id, key, row_id
        assert len(ids) == len(id_of)
        if step % 500 == 0:
            assert sorted(ids) == sorted(id_of)
    assert {key: ids.id_of(key) for key in ids} == id_of
    assert {row_id: ids.key_of(row_id) for row_id in range(last + 1) if row_id in key_of} == key_of
    assert all(ids.key_of(row_id) is None for row_id in range(last + 2) if row_id not in key_of)

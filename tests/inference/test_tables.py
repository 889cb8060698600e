from __future__ import annotations

import pyarrow as pa
import pytest

from rasid.data.errors import DataError
from rasid.inference.jobs import arrow_schema, to_row
from rasid.inference.tables import tag_table
from rasid.inference.tagger import Tagger

TEXTS = ["قصف الجيش بلدة جاسم.", None, "no Arabic", "اعتقلت الشرطة شابا في درعا.\nثم أفرجت عنه."]


def test_each_row_comes_back_in_its_place_with_labels_or_an_error(tagger: Tagger) -> None:
    table = pa.table({"id": ["a", "b", "c", "d"], "text": TEXTS, "outlet": ["x", None, "y", None]})
    found = tag_table(tagger, table)
    assert found.schema == arrow_schema()
    rows = found.to_pylist()
    assert [row["id"] for row in rows] == ["a", "b", "c", "d"]
    assert rows[1]["error"] == "record b: the record has no `text`"
    assert rows[2]["error"] == "record c: no Arabic letter in the text"
    assert rows[0]["meta"] == '{"outlet": "x"}'
    # as one process has them that reads a file
    alone = [{**to_row(a), "id": i, "meta": None} for i, a in zip("ad", tagger.tag([TEXTS[0], TEXTS[3]]), strict=True)]
    wanted = pa.Table.from_pylist(alone, schema=arrow_schema()).to_pylist()
    assert [{**rows[0], "meta": None}, rows[3]] == wanted
    assert rows[3]["events"]


def test_rows_without_an_id_are_numbered(tagger: Tagger) -> None:
    rows = tag_table(tagger, pa.table({"text": TEXTS})).to_pylist()
    assert [row["id"] for row in rows] == ["1", "2", "3", "4"]


def test_a_table_without_text_is_an_error(tagger: Tagger) -> None:
    with pytest.raises(DataError, match="no column `text`; its columns: body"):
        tag_table(tagger, pa.table({"body": TEXTS}))


def test_an_empty_table_has_the_columns(tagger: Tagger) -> None:
    found = tag_table(tagger, pa.table({"text": pa.array([], pa.string())}))
    assert found.schema == arrow_schema()
    assert not found.num_rows

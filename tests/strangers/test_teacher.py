"""A Chinese teacher's hour: mistakes, encodings, zips, and programs to take home."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.driver import good, run

import chainrule as cr
from chainrule.cli.data_options import DataOptions
from chainrule.datasets import read_csv
from chainrule.datasets.reading import read_with
from chainrule.errors import FormatError, MissingMethodError, RecordingError, SettingError
from chainrule.lang.languages import from_environment

pytestmark = pytest.mark.source("an hour with the command in Chinese, 29 November 2026")
X = np.ones(2)
TABLE = "年龄,工资,等级\n" + "".join(
    f"{20 + i},{1000 + 7 * i},{'甲乙'[i % 2]}\n" for i in range(30)
)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Forwards(cr.nodes.Node):
    def forward(self, x: Any) -> Any:
        return x * x


class Empty(cr.Layer):
    pass


class Unruly(cr.Optimizer):
    pass


@pytest.mark.parametrize(
    ("use", "method"),
    [
        (lambda: cr.grad(lambda x: cr.sum(Forwards()(x)))(X), "backward(self, dy)"),
        (lambda: cr.sum(Forwards()(cr.Variable(X))).backward(), "backward(self, dy)"),
        (lambda: Forwards().backward(X), "backward(self, dy)"),
        (lambda: cr.nodes.Node().forward(X), "forward(self, x)"),
        (lambda: Empty().forward(X), "formula(self, x)"),
        (lambda: Unruly(0.1).update([X.copy()], [X]), "rule(self, p, g, *, lr)"),
        (lambda: cr.Network().predict(X), "predict(self, x)"),
    ],
)
def test_a_method_that_is_missing_is_named(use: Callable[[], Any], method: str) -> None:
    with pytest.raises(MissingMethodError, match="has no") as caught:
        use()
    assert f"`def {method}`" in str(caught.value)
    assert f"请在类中定义 `def {method}`" in caught.value.said("zh_CN")


@pytest.mark.parametrize("kind", [bool, int, float])
def test_an_array_is_not_one_number(kind: Callable[[Any], Any]) -> None:
    with pytest.raises(RecordingError, match=r"of shape \(2,\).*cr\.where"):
        kind(cr.Variable(X))


@pytest.mark.parametrize("tag", ["zh", "zh_CN", "ZH", "zh-Hans", "zh_CN.UTF-8"])
def test_an_error_is_said_in_every_tag_of_a_language(tag: str) -> None:
    with pytest.raises(SettingError) as caught:
        cr.SGD(lr=-1)
    assert "必须" in caught.value.said(tag)
    assert caught.value.said("fr") == caught.value.said("en") == str(caught.value)


def test_without_a_locale_no_list_of_languages_counts() -> None:
    for locale in ("", "C", "POSIX", "C.UTF-8"):
        assert from_environment({"LANG": locale, "LANGUAGE": "zh_CN"}) == "en"
    assert from_environment({"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN"}) == "zh"


def test_widths_of_all_layers_are_compared_at_once() -> None:
    for first, second in (
        (cr.Affine.sized(2, 4), cr.BatchNorm.sized(3)),
        (cr.Embedding.sized(9, 4), cr.Affine.sized(3, 2)),
        (cr.Affine.sized(2, 4), cr.LayerNorm.sized(3)),
    ):
        with pytest.raises(cr.errors.ShapeError, match=r"layer 1 .* takes 3 inputs.* 4 outputs"):
            cr.Sequential(first, second)


def test_steps_can_be_compared_and_kept_in_sets() -> None:
    graph = cr.sum(cr.Variable(X) * 2).graph
    first, *others = graph.steps()
    assert first in {first}
    assert first not in others


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_the_advice_for_a_file_of_two_bytes_a_letter_can_be_followed(
    tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(TABLE.encode(encoding))
    with pytest.raises(FormatError, match=f"--encoding {encoding}"):
        read_csv(path)
    assert len(read_csv(path, encoding=encoding)) == 30


def test_a_wrong_encoding_of_a_good_file_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE, "utf-8")
    with pytest.raises(FormatError, match="It is UTF-8"):
        read_csv(tmp_path / "t.csv", encoding="gb2312")


@pytest.mark.parametrize("comma", [",", "，", "、"])
def test_words_for_missing_cells_are_parted_by_any_comma(tmp_path: Path, comma: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(TABLE.replace("\n25,", "\n缺考,").replace("\n26,", "\n无,"), "utf-8")
    options = DataOptions(missing_words=f"缺考{comma}无")
    ages = read_with(path, options.reading()).column("年龄")
    assert np.flatnonzero(np.isnan(ages)).tolist() == [5, 6]


def test_a_report_is_a_page_by_its_name(tmp_path: Path) -> None:
    result = run("train", "iris", "--epochs", "1", "--report", "r.pdf")
    assert result.exit_code == 2
    assert "ends in .html" in result.stderr
    assert not Path("r.pdf").exists()


def test_the_program_predicts_from_words_among_numbers(tmp_path: Path) -> None:
    rows = [f"{'absent' if i % 7 == 0 else i * 3 % 50},{i}%,{'yn'[i % 2]}\n" for i in range(60)]
    Path("raw.csv").write_text("score,share,passed\n" + "".join(rows))
    plain = [row.replace("%", "") for row in rows]
    Path("plain.csv").write_text("score,share,passed\n" + "".join(plain))
    good("train", "raw.csv", "--target", "passed", "--epochs", "3", "--out", "m.safetensors")
    told = run("export", "m.safetensors", "--to", "script", "--out", "p.py")
    assert "cells of 'share'" in told.stderr
    done = subprocess.run(
        [sys.executable, "p.py", "plain.csv"], capture_output=True, text=True, check=True
    )
    predicted = good("predict", "m.safetensors", "raw.csv").splitlines()
    assert done.stdout.split() == [line.split(",")[0] for line in predicted][-60:]


def test_from_a_zip_it_speaks_chinese(tmp_path: Path) -> None:
    package = Path(cr.__file__).parent
    with zipfile.ZipFile(tmp_path / "cr.zip", "w") as file:
        for path in package.rglob("*"):
            if path.suffix in (".py", ".mo", ".css", ".npz", ".csv", ".gz", ".json"):
                file.write(path, path.relative_to(package.parent))
    code = (
        "import chainrule as cr\ntry: cr.SGD(lr=-1)\nexcept cr.errors.SettingError as e: print(e)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "cr.zip"), "CHAINRULE_LANG": "zh",
             "PYTHONUTF8": "1"},
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert "必须" in done.stdout

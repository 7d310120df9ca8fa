"""Progress in a log: a line now and then, none for what is quick; in a notebook: the count at the end."""

import pytest
from IPython import display

from lossbook import progress


def test_a_quick_loop_says_nothing_in_a_log(capsys):
    assert list(progress.track(range(3), "runs")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_a_slow_loop_says_a_line_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_LOG_SECONDS", -1.0)
    assert list(progress.track("ab", "runs")) == ["a", "b"]
    assert capsys.readouterr().err.splitlines() == ["runs: 1 of 2", "runs: 2 of 2"]


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert list(progress.track(range(2), "runs")) == [0, 1]
    assert "runs" in capsys.readouterr().err


@pytest.mark.parametrize(("seconds", "shown"), [(60.0, [0, 3]), (-1.0, [0, 1, 2, 3])])
def test_a_notebook_shows_the_last_count_and_few_on_the_way(monkeypatch, seconds, shown):
    texts = []

    class Handle:
        def update(self, html):
            texts.append(html.data)

    monkeypatch.setattr(progress, "_in_kernel", lambda: True)
    monkeypatch.setattr(progress, "_NOTEBOOK_SECONDS", seconds)
    monkeypatch.setattr(display, "display", lambda html, display_id: texts.append(html.data) or Handle())
    assert list(progress.track("abc", "runs")) == ["a", "b", "c"]
    assert texts == [f"runs: {done} of 3" for done in shown]

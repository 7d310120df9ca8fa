"""What a build says while it runs."""

from lossbook.book.snakemake_output import show_progress


def test_progress_says_what_runs_and_what_is_left(capsys):
    lines = [
        "total  2\n",
        "Job 1: train a\n",
        "Job 2: train b\n",
        "Finished jobid: 1 (Rule: train)\n",
        "1 of 2 steps (50%) done\n",
    ]
    show_progress(lines)
    assert capsys.readouterr().out.splitlines()[-1] == "[1/2] now: train b"
    show_progress(["Building DAG of jobs...\n"])
    assert "up to date" in capsys.readouterr().out
    show_progress(["Error in rule page:\n", "  exit 1\n"])
    assert capsys.readouterr().out == "Error in rule page:\n  exit 1\n"

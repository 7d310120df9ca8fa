"""What ``lossbook compare`` and the notebook ``your-data`` do: read, compare, write the report and the winner."""

from __future__ import annotations

from pathlib import Path

from lossbook.advisor import work
from lossbook.advisor.compare import Comparison, Options, compare, training_on_all
from lossbook.advisor.images import Backbone
from lossbook.advisor.reading import read
from lossbook.advisor.report import write
from lossbook.advisor.winner import winner_of


def run(
    source: str,
    out: Path,
    options: Options | None = None,
    labels: str = "",
    backbone: Backbone | None = None,
    command: str = "",
) -> Comparison:
    """Compare the losses on some data, and write ``report.html``, ``results.csv``, ``tuning.csv`` and the winner into a folder.

    The folder also keeps the trainings that are done: the same call goes on where it was interrupted.

    Args:
        source, labels, backbone: the data, see :func:`lossbook.advisor.reading.read`.
        out: the folder.
        options: what a user may set.
        command: for the report.

    Raises:
        ValueError: for data that cannot be read or compared on, saying what was expected.
    """
    options = options or Options()
    comparison = compare(read(source, labels, backbone, out), options, out)
    write(comparison, out, command or f"lossbook compare {source}")
    if not options.control:  # of shuffled labels there is nothing to predict
        goal, method = comparison.first_goal, comparison.winner
        (objective,), standard = work.train(training_on_all(comparison, out))
        samples, scores = comparison.samples, comparison.known[goal][method]
        winner_of(objective, standard, scores, samples.classes, method, goal, samples.backbone).save(out)
    return comparison

"""``python -m lossbook.book build | job | collect | page | stage | sync | evidence | pdf | clean``."""

from lossbook.book.build import app

app()

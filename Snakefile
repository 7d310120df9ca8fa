# The runs and the book as one directed graph.  `make book` calls this with profiles/local.
#
# A job is a batch of runs in one execution of notebooks/run; a page is one execution of its notebook.  What makes a
# step run again is a hash (parameters), never a file's time: notebooks are `ancient`, and code, specs, published
# tables and committed results enter as fingerprints.  No rule assumes one machine: rules exchange nothing but files below _build/.

import shlex
import sys

sys.path.insert(0, "src")

from pathlib import Path

from lossbook.book import pages as book
from lossbook.papers.registry import PAPERS, jobs, papers_at
from lossbook.runs.fingerprint import code_of, collection_state

TIER = config.get("tier", "quick")
SAMPLE = config.get("sample", "all")  # of the runs of every table: some, first (seed) or all; see Table.sample
RUNS_PER_JOB = int(config.get("runs_per_job", 300))  # a start costs as much as twenty runs of the quick tier
THREADS = int(config.get("threads_per_job", 1))

JOBS = {job.name: job for job in jobs(TIER, RUNS_PER_JOB, SAMPLE)}
WITH_RUNS = list(papers_at(TIER))
PAGES = {str(page.relative_to("notebooks").with_suffix("")): page for page in book.pages()}
PYTHON = shlex.quote(sys.executable)
STEP = f"{PYTHON} -m lossbook.book"
JUPYTER_BOOK = shlex.quote(str(Path(sys.executable).with_name("jupyter-book")))
# Parts of the package whose docstrings are pages of the book.
DOCUMENTED = ("losses", "heads", "objectives", "metrics", "data", "models.py", "book/api.py")
# What a step prints goes to its log; a step that fails shows the end of it.
LOGGED = ' > {log} 2>&1 || {{ echo "Error: the last lines of {log}:"; tail -n 40 {log}; exit 1; }}'


def job_files(paper):
    return [f"_build/executed-runs/{TIER}/{name}.ipynb" for name, job in JOBS.items() if job.paper == paper]


def results_of(page):
    return [f"_build/results/{TIER}/{paper}.csv" for paper in book.results_read(PAGES[page]) if paper in WITH_RUNS]


localrules:
    all,
    results,
    collect,


rule all:
    input:
        "_build/html/index.html",


rule results:
    input:
        expand(f"_build/results/{TIER}/{{paper}}.csv", paper=WITH_RUNS),


rule train:
    input:
        ancient("notebooks/run.md"),
    output:
        f"_build/executed-runs/{TIER}/{{job}}.ipynb",
    params:
        runs=lambda wildcards: [f"{spec.run_id} {code_of(spec)}" for spec in JOBS[wildcards.job].specs],
        notebook=book.cells_digest(book.RUN),
    log:
        "_build/logs/train-{job}.log",
    priority: 1
    threads: THREADS
    resources:
        gpu=1,
    message:
        "train {wildcards.job}"
    shell:
        STEP + " job {wildcards.job} {output} --tier {TIER} --sample {SAMPLE} --runs-per-job {RUNS_PER_JOB}"
        " --threads {threads}" + LOGGED


rule collect:
    input:
        lambda wildcards: job_files(wildcards.paper),
    output:
        f"_build/results/{TIER}/{{paper}}.csv",
    params:
        state=lambda wildcards: collection_state(PAPERS[wildcards.paper].evidence.tables, TIER, SAMPLE),
    log:
        "_build/logs/collect-{paper}.log",
    message:
        "collect the results of {wildcards.paper}"
    shell:
        STEP + " collect {wildcards.paper} --tier {TIER} --sample {SAMPLE}" + LOGGED


rule page:
    input:
        source=lambda wildcards: ancient(str(PAGES[wildcards.page])),
        results=lambda wildcards: results_of(wildcards.page),
    output:
        "_build/executed/{page}.ipynb",
    wildcard_constraints:
        page="(?!run$).+",  # which has a rule of its own
    params:
        state=lambda wildcards: book.page_state(PAGES[wildcards.page]),
    log:
        "_build/logs/page-{page}.log",
    message:
        "execute {wildcards.page}"
    shell:
        STEP + " page {input.source} {output}" + LOGGED


# The page on the parameterised run finds its runs in the store, so it comes after all training.
rule run_page:
    input:
        source=ancient("notebooks/run.md"),
        results=expand(f"_build/results/{TIER}/{{paper}}.csv", paper=WITH_RUNS),
    output:
        "_build/executed/run.ipynb",
    params:
        state=book.page_state(book.RUN),
    log:
        "_build/logs/page-run.log",
    message:
        "execute run"
    shell:
        STEP + " page {input.source} {output}" + LOGGED


rule html:
    input:
        expand("_build/executed/{page}.ipynb", page=[*PAGES, "run"]),
    output:
        "_build/html/index.html",
    params:
        prose=book.files_under("book", "notebooks"),
        docstrings=book.files_under(*(f"src/lossbook/{part}" for part in DOCUMENTED)),
        configuration=book.files_digest([Path("_config.yml"), Path("_toc.yml")]),
    log:
        "_build/logs/html.log",
    message:
        "build the book"
    shell:
        "{{ " + STEP + " stage _build/stage {input} && "
        + JUPYTER_BOOK + " build _build/stage --path-output . --all -W -n --keep-going; }}" + LOGGED

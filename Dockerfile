# docker build -t beyond-softmax . && docker run --rm -v "$PWD/_build:/book/_build" beyond-softmax
# The container builds the book into _build/html; any other command runs in the same environment.
FROM python:3.11-slim
RUN apt-get update -q \
 && apt-get install -y -q --no-install-recommends git make chromium \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /book
# The packages come first: a change of the project's own files does not install them again.
COPY requirements.lock .
RUN python -m venv .venv && .venv/bin/python -m pip install --no-cache-dir -r requirements.lock
COPY . .
RUN .venv/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation --editable . && touch .venv/.ready
ENV PATH=/book/.venv/bin:$PATH
CMD ["make", "book"]

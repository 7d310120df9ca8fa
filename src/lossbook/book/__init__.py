"""The book: what its pages show, and how it is built."""

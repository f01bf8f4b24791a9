"""Run the pipeline as a user does: `make repro` and `make studies`."""

from pipeline.foundations.errors import interrupted_in_one_line

interrupted_in_one_line()

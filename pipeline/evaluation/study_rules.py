"""The rule by which a replica of a study's cell has learned. Cells with rows of their own have a rule of their own."""

from collections.abc import Mapping

from pipeline.data.reference.reference import load_reference, of_split
from pipeline.evaluation.learned import Rule, rule_for
from pipeline.params.study_params import Cell
from pipeline.studies.cell_rows import StudyRows


class StudyRules:
    """The rules of all cells of a study. Cells with equal rows share a rule.

    Args:
        rows: the rows of the cells.
        learned: `evaluation.learned` of params.yaml.
    """

    def __init__(self, rows: StudyRows, learned: Mapping[str, float] | None) -> None:
        self._rows, self._learned = rows, learned
        self._rules: dict[str, Rule] = {}  # by the fingerprint of the rows

    def of(self, cell: Cell) -> Rule:
        """Return the rule of a cell.

        Raises:
            UserError: the task does not have the score, or the reference of the base is missing.
        """
        rows = self._rows.of(cell)
        if rows.fingerprint not in self._rules:
            reference = of_split(rows.split) if cell.has_own_rows else load_reference()
            self._rules[rows.fingerprint] = rule_for(rows.split.task, self._learned, reference)
        return self._rules[rows.fingerprint]

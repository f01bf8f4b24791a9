"""The inputs of the report, and its figures by section."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.data.profile import Profile
from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.learned import Rule
from pipeline.evaluation.tried import TriedStudy
from pipeline.evaluation.variant import VariantEvaluation
from pipeline.params.comparison_params import ComparisonParams
from pipeline.params.params import Params
from pipeline.report.figures.report_figures import Place, at
from pipeline.report.pages.document import Picture


@dataclass(frozen=True)
class ReportFindings:
    """The inputs of the report.

    comparison: the tables that compare the variants.
    params: all of params.yaml.
    chosen: the section `comparison` of params.yaml, without the tutorial's claims if the data are not the tutorial's.
    profile: the profile of the data.
    rule: when a replica has learned.
    evaluations: the evaluation of each variant, by name.
    data: the fingerprint of the split.
    versions: the versions of each package that trained, by package.
    pictures: the address of each figure, relative to the page, by the figure's name.
    tried: the results of each study, by name.
    studies: the address of the folder with the studies' pages.
    """

    comparison: Comparison
    params: Params
    chosen: ComparisonParams
    profile: Profile
    rule: Rule
    evaluations: Mapping[str, VariantEvaluation]
    data: str
    versions: Mapping[str, Sequence[str]]
    pictures: Mapping[str, str]
    tried: Mapping[str, TriedStudy]
    studies: str

    def at(self, place: Place) -> Iterator[Picture]:
        """Yield the figures of a section."""
        for figure in at(place, self.pictures):
            yield Picture(self.pictures[figure.name], figure.caption)

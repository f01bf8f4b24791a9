"""`data`: where the rows come from, and what is to be learned of them; before any scaling."""

from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.params.file import Section

Column = Annotated[str, Field(min_length=1, max_length=200)]


class DataParams(Section):
    """One of the sources that `data.sources` lists, with its arguments; or a file in `tables/`.

    task: `auto` decides by the target, and says what it decided. target: the column of a file that is predicted;
    features: those that it is predicted from, all others by default. missing: what is done about missing values.
    """

    source: Annotated[str, Field(min_length=1, max_length=200)]
    config: dict[str, Any] = Field(default_factory=dict)
    task: Literal["auto", "binary", "multiclass", "regression"] = "auto"
    target: Column = "label"
    features: Literal["all"] | Annotated[tuple[Column, ...], Field(strict=False, min_length=1)] = "all"
    missing: Literal["error", "drop", "mean", "median", "most_frequent"] = "error"

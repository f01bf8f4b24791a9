"""Saved views of MLflow's page of an experiment: the charts that matter most come first.

Without a view the UI sorts some two hundred charts by name, and the learned shares come last. A view is a tag of the
experiment in the format of MLflow 3.17; a UI that does not understand it shows all charts.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence

from pipeline.params.file import Plain
from pipeline.tracking import images
from pipeline.tracking import metric_keys as keys
from pipeline.tracking.payload import VariantPayload
from pipeline.tracking.tags import CURRENT, PAIR, search_for

PREFIX = "mlflow.sharedViewState."
ALL, OF_PAIR = "all-variants", "pair"  # the views' names in addresses
State = Mapping[str, Plain]


def views(contents: Sequence[VariantPayload], pair: Sequence[str]) -> dict[str, str]:
    """Return the tags: a view of all variants of params.yaml, and one of the pair if there is one."""
    tags = {PREFIX + ALL: _view("All variants", CURRENT, contents)}
    if pair:
        both = [content for content in contents if content.variant in pair]
        tags[PREFIX + OF_PAIR] = _view(" against ".join(pair), PAIR, both)
    return tags


def _view(name: str, tag: str, contents: Sequence[VariantPayload]) -> str:
    """Return a view of the runs with a tag."""
    metrics = (keys.LEARNED_RATE.of(), f"{contents[0].final}_median")
    columns = [*(f"metrics.`{each}`" for each in metrics), "params.`hidden_layers`", "params.`activation`"]
    # The UI would hide all runs but the first ten.
    rows = {"orderByKey": f"tags.`{CURRENT}`", "orderByAsc": False, "runsHiddenMode": "FIRST_20_RUNS"}
    state = {"searchFilter": search_for(tag), **rows, **_charts(contents), "selectedColumns": columns}
    # A view carries its times: fixed, so that writing it again changes nothing.
    return json.dumps({"name": name, "createdAt": 1, "updatedAt": 1, "state": json.dumps(state)})


def _charts(contents: Sequence[VariantPayload]) -> State:
    """Return the first sections and their charts; the UI adds all other charts after them."""
    known = {point.key for content in contents for point in content.points}
    profile, log10 = (
        sorted(key for key in known if key.startswith(each.group)) for each in (keys.PROFILE, keys.PROFILE_LOG10)
    )
    first = (keys.LEARNED_SHARE.of(), keys.ALIVE_SHARE.of(), *_score_charts(contents))
    lines = {  # the UI calls the axis of every chart "Step"
        "Learned and alive": [key for key in first if key in known],
        "Gradient by layer, log10 (step = layer)": log10,
        "Gradient by layer (step = layer)": profile,
    }
    line: State = {"type": "LINE", "xAxisKey": "step", "lineSmoothness": 0, "runsCountToCompare": 20}
    charts = [_chart(section, key, {**line, "metricKey": key}) for section, some in lines.items() for key in some]
    sections = [_section(name, 2, 330) for name, some in lines.items() if some]
    figures = sorted({path.stem for content in contents for path in content.images})
    if figures:  # the UI shows several images as a table with a column per run, and a single one as a pile
        grid: State = {"type": "IMAGE", "imageKeys": [images.key(figure) for figure in figures], "step": images.STEP}
        charts.append(_chart("Figures side by side", "figures", {**grid, "showRunParams": False}))
        sections.append(_section("Figures side by side", 1, 900))
    return {
        "compareRunSections": sections,
        "compareRunCharts": charts,
        "isAccordionReordered": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
    }


def _score_charts(contents: Sequence[VariantPayload]) -> list[str]:
    """Return the quartiles of the main score, first those in which the variants are furthest apart.

    Where half of the replicas learn nothing, the medians of all variants are one flat line.
    """
    part, _, score = contents[0].final.partition("_")
    curves = [keys.CURVE.of(curve=score, part=part, quartile=quartile) for quartile in ("median", "q75", "q25")]
    return sorted(curves, key=lambda key: -_distance(contents, key))  # stable: ties keep this order


def _distance(contents: Sequence[VariantPayload], key: str) -> float:
    """Return the distance between the variants' lines at the step where they are furthest apart."""
    values: dict[int, list[float]] = defaultdict(list)
    for content in contents:
        for point in content.points:
            if point.key == key:
                values[point.step].append(point.value)
    return max((max(each) - min(each) for each in values.values()), default=0.0)


def _section(name: str, columns: int, height: int) -> State:
    fixed = {"display": True, "isReordered": True, "deleted": False, "isGenerated": False}
    return {"uuid": name, "name": name, "columns": columns, "cardHeight": height, **fixed}


def _chart(section: str, name: str, content: State) -> State:
    place = {"uuid": f"{section}: {name}", "metricSectionId": section, "displayName": name}
    return {**place, "deleted": False, "isGenerated": False, **content}

"""Saved views of the UI: on the experiment's page, what is compared first stands first.

Left alone, the UI sorts some two hundred charts by name, and the learned shares come last. A saved view is a tag of the
experiment, written here as the UI of MLflow 3.17 writes it; where another does not understand it, it shows all charts.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from pipeline.tracking import images
from pipeline.tracking import metric_keys as keys
from pipeline.tracking.payload import VariantPayload
from pipeline.tracking.tags import COMPLETE, CURRENT, PAIR, search_for

PREFIX = "mlflow.sharedViewState."
ALL, OF_PAIR, EVERYTHING = "all-variants", "pair", "everything"  # the keys by which addresses name them
FIRST = (keys.LEARNED_SHARE.of(), keys.ALIVE_SHARE.of())
COLUMNS = (
    f"metrics.`{keys.LEARNED_RATE.of()}`",
    "metrics.`{final}_median`",
    "params.`hidden_layers`",
    "params.`activation`",
)


def views(contents: Sequence[VariantPayload], pair: Sequence[str]) -> dict[str, str]:
    """The tags: views of all variants as params.yaml has them, of the pair alone where there is one, and of every
    recipe, experiments' too."""
    columns = {"selectedColumns": [each.format(final=contents[0].final) for each in COLUMNS]}
    charts = {**_charts(contents), **columns}
    made = {ALL: _view("All variants", search_for(CURRENT), charts)}
    if pair:
        both = [content for content in contents if content.variant in pair]
        made[OF_PAIR] = _view(" against ".join(pair), search_for(PAIR), {**_charts(both), **columns})
    made[EVERYTHING] = _view("Experiments and earlier recipes too", search_for(COMPLETE), charts)
    return {PREFIX + key: value for key, value in made.items()}


def _view(name: str, search: str, charts: dict[str, Any]) -> str:
    # What is current first; beyond ten the UI would hide runs.
    first = {"orderByKey": f"tags.`{CURRENT}`", "orderByAsc": False, "runsHiddenMode": "FIRST_20_RUNS"}
    state = {"searchFilter": search, **first, **charts}
    # A view carries its times: fixed, so that writing it again changes nothing.
    return json.dumps({"name": name, "createdAt": 1, "updatedAt": 1, "state": json.dumps(state)})


def _charts(contents: Sequence[VariantPayload]) -> dict[str, Any]:
    """The first sections; the UI adds all other charts after them."""
    known = {point.key for content in contents for point in content.points}
    figures = sorted({path.stem for content in contents for path in content.images})
    profiles = [
        sorted(key for key in known if key.startswith(each.group)) for each in (keys.PROFILE_LOG10, keys.PROFILE)
    ]
    lines = {  # the UI calls the axis of every chart "Step"
        "Learned and alive": [key for key in (*FIRST, *_score_charts(contents)) if key in known],
        "Gradient by layer, log10 (step = layer)": profiles[0],
        "Gradient by layer (step = layer)": profiles[1],
    }
    sections = [_section(name, 2, 330) for name in lines]
    charts = [
        _chart(section, "LINE", key, metricKey=key, xAxisKey="step", lineSmoothness=0, runsCountToCompare=20)
        for section, chosen in zip(sections, lines.values(), strict=True)
        for key in chosen
    ]
    grid = _section("Figures side by side", 1, 900)
    if figures:  # of several images the UI makes a table, one column per run; of a single one a pile
        keys_of_images = [images.key(figure) for figure in figures]
        charts.append(_chart(grid, "IMAGE", "figures", imageKeys=keys_of_images, step=images.STEP, showRunParams=False))
    shown = [
        section for section in [*sections, grid] if any(chart["metricSectionId"] == section["uuid"] for chart in charts)
    ]
    return {
        "compareRunSections": shown,
        "compareRunCharts": charts,
        "isAccordionReordered": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
    }


def _score_charts(contents: Sequence[VariantPayload]) -> list[str]:
    """Quartiles of the score that decides, as `payload.variant_points` names them: those in which the variants are
    furthest apart first. Where half of the replicas learn nothing the medians of all variants are one flat line."""
    part, _, score = contents[0].final.partition("_")
    curves = [keys.CURVE.of(curve=score, part=part, quartile=quartile) for quartile in ("median", "q75", "q25")]
    return sorted(curves, key=lambda key: -_distance(contents, key))  # of equals in this order


def _distance(contents: Sequence[VariantPayload], key: str) -> float:
    """How far apart the variants' lines are at the step where they are furthest apart."""
    values: dict[int, list[float]] = defaultdict(list)
    for content in contents:
        for point in content.points:
            if point.key == key:
                values[point.step].append(point.value)
    return max((max(each) - min(each) for each in values.values()), default=0.0)


def _section(name: str, columns: int, height: int) -> dict[str, Any]:
    fixed = {"display": True, "isReordered": True, "deleted": False, "isGenerated": False}
    return {"uuid": name, "name": name, "columns": columns, "cardHeight": height, **fixed}


def _chart(section: dict[str, Any], kind: str, name: str, **more: Any) -> dict[str, Any]:
    place = {"uuid": f"{section['uuid']}: {name}", "metricSectionId": section["uuid"], "displayName": name}
    return {**place, "type": kind, "deleted": False, "isGenerated": False, **more}

"""Stage `track_study@<name>`: publish a study unless MLflow already has it; write its manifest.

This stage also copies the study's results to studies/tried.json. It always runs after a new study, because DVC never
restores it from its cache.
"""

from pipeline.data.split import files as data
from pipeline.evaluation import study_files as studies
from pipeline.foundations.errors import one_argument, reported_in_one_line
from pipeline.params.params import read
from pipeline.tracking import manifest, publish
from pipeline.tracking.study_payload import assemble_study


def main(name: str) -> None:
    """Read `tracking` and the study's files; publish the study if it is new; write the manifest."""
    params = read()
    cells = studies.load_cells(name)
    content = assemble_study(
        name,
        cells,
        studies.load_recipes(name, cells.cell.tolist()),
        studies.load_answer(name),
        [*data.part_files().values()],
        {"figures": studies.figures(name), "tables": studies.tables(name), "page": [studies.page(name)]},
    )
    studies.renewed_tried(name)  # reports what is damaged before anything is written
    manifest.remove_manifest(manifest.of_study(name))
    action = publish.publish_study(content, params.tracking, data.part_files())
    studies.renew_tried(name)  # only now, because MLflow may reject the study
    manifest.save_manifest({name: content.hashes}, manifest.of_study(name))
    print(f"track study {name}: {action}")


if __name__ == "__main__":
    with reported_in_one_line():
        main(one_argument("study"))

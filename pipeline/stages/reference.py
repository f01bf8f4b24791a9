"""Stage `reference`: the split -> the scores of scikit-learn's quick models on it."""

from pipeline.data.reference.reference import of_split, save_reference
from pipeline.data.split.files import load_split
from pipeline.foundations.errors import reported_in_one_line


def main() -> None:
    """Read the split; fit and judge the models; write their scores."""
    split = load_split()
    reference = of_split(split)
    save_reference(reference)
    score = split.task.score
    models = ", ".join(f"{name} {value:.3f}" for name, value in reference.by_model(score).items())
    rows = f"{models} ({score}, {reference.judged} {reference.part} rows)"
    print(f"reference: {f'none: {reference.skipped}' if reference.skipped else rows}")


if __name__ == "__main__":
    with reported_in_one_line():
        main()

"""Write the part of the report on the data: rows, classes or targets, the reference, warnings, columns."""

from collections.abc import Iterator, Mapping

from pipeline.data.profile import Profile
from pipeline.evaluation.learned import Rule, reference_in_words
from pipeline.foundations.literal import as_code, in_markdown
from pipeline.report.pages.document import Block, Bullets, Table, Text

MOST_COLUMNS = 20  # columns of the data in each table
MOST_LISTED = 5  # classes; with more, only the smallest and the largest share are stated
KINDS = {"category": "text", "boolean": "true or false"}  # kinds of columns without numbers, in words


def about_data(profile: Profile, rule: Rule) -> Iterator[Block]:
    """Yield the description of the data, with the reference's scores and warnings of possible faults.

    Args:
        rule: when a replica has learned; it has the scores of the reference.
    """
    encoded = "" if profile.inputs == profile.features else f", {profile.inputs} inputs when encoded"
    sentences = [f"{profile.features} feature{'s' if profile.features > 1 else ''}{encoded}."]
    if profile.shares:
        sentences.append(f"Classes: {'; '.join(_shares(part, own) for part, own in profile.shares.items())}.")
    for name, (low, mean, high) in profile.targets.items():
        sentences.append(f"{as_code(name)}: {low:.4g} to {high:.4g}, mean {mean:.4g}.")
    yield Text("**The data.** " + " ".join(sentences))
    if words := reference_in_words(rule):
        yield Text(f"**The reference.** {words}")
    if profile.warnings:
        yield Bullets([f"**Warning:** {in_markdown(warning)}." for warning in profile.warnings])
    ranges = profile.ranges[:MOST_COLUMNS]
    if ranges and profile.features > 2:
        rows = [
            [as_code(each.name), *(f"{low:.4g} to {high:.4g}" for low, high in (each.raw, each.scaled))]
            for each in ranges
        ]
        yield Table(["column", "raw", "as the network gets it"], rows)
        yield from _other_columns(len(profile.ranges))
    if profile.values:
        yield Table(
            ["column", "kind", "different values", "most frequent"],
            [
                [as_code(each.name), KINDS[each.kind], str(each.distinct), _percents(each.shares)]
                for each in profile.values[:MOST_COLUMNS]
            ],
        )
        yield from _other_columns(len(profile.values))
    if profile.filled:
        counts = [f"{as_code(name)} {count}" for name, count in profile.filled.items()]
        more = f" and {len(counts) - MOST_COLUMNS} more columns" if len(counts) > MOST_COLUMNS else ""
        total = sum(profile.filled.values())
        yield Text(f"{total} missing values were filled in: {', '.join(counts[:MOST_COLUMNS])}{more}.")


def _other_columns(count: int) -> Iterator[Block]:
    if count > MOST_COLUMNS:
        yield Text(f"The other {count - MOST_COLUMNS} are in `data/split/profile.json`.")


def _shares(part: str, shares: Mapping[str, float]) -> str:
    """Return "train a 20%, b 80%"; with many classes only the smallest and the largest share."""
    if len(shares) > MOST_LISTED:
        return f"{part} {100 * min(shares.values()):.0f} to {100 * max(shares.values()):.0f}% each"
    return f"{part} {_percents(shares)}"


def _percents(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{as_code(name)} {100 * share:.0f}%" for name, share in shares.items())

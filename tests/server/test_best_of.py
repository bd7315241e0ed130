from server.best_of import best_of
from server.folding import FoldedChoice


def choices(*means: float | None) -> list[FoldedChoice]:
    return [FoldedChoice(text=str(i), mean_logprob=mean) for i, mean in enumerate(means)]


def texts(kept: list[FoldedChoice]) -> str:
    return "".join(choice.text for choice in kept)


def test_the_likeliest_candidates_of_each_prompt_are_kept_best_first() -> None:
    candidates = choices(-3.0, -1.0, -2.0, -0.3, -0.1, -0.2)
    assert texts(best_of(candidates, num_candidates=3, num_kept=2)) == "1245"


def test_equally_likely_candidates_keep_their_order() -> None:
    assert texts(best_of(choices(-1.0, -1.0, -1.0), num_candidates=3, num_kept=2)) == "01"


def test_choices_are_not_reordered_where_all_are_kept() -> None:
    assert texts(best_of(choices(-3.0, -1.0, None), num_candidates=3, num_kept=3)) == "012"

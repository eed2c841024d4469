"""Label selectors: what kubectl takes, and nothing else."""

import pytest

from imagesources.kube.selector import Selector

LABELS = ({}, {"a": ""}, {"a": "x"}, {"a": "y"}, {"b": "x"}, {"a": "x", "b": "y"}, {"example.com/a": "x"})


@pytest.mark.parametrize(
    ("text", "fitting"),
    [
        ("", (0, 1, 2, 3, 4, 5, 6)),
        ("a", (1, 2, 3, 5)),
        ("!a", (0, 4, 6)),
        ("! a", (0, 4, 6)),
        ("a=x", (2, 5)),
        ("a==x", (2, 5)),
        ("a=", (1,)),
        ("a!=x", (0, 1, 3, 4, 6)),
        ("a in (x)", (2, 5)),
        ("a in (x, y)", (2, 3, 5)),
        ("a in (x,)", (1, 2, 5)),
        ("a notin (x,y)", (0, 1, 4, 6)),
        ("a=x,b", (5,)),
        (" a = x , !b ", (2,)),
        ("example.com/a=x", (6,)),
    ],
)
def test_fits(text: str, fitting: tuple[int, ...]) -> None:
    """Each form selects the labels that the Kubernetes API documents for it."""
    selector = Selector.parse(text)
    assert tuple(number for number, labels in enumerate(LABELS) if selector.fits(labels)) == fitting


@pytest.mark.parametrize(
    "text",
    ["a=x,", ",a", "a b", "!a=x", "a in x", "a>1", "-a", "a in (x y)", "a=-", "a=x y", "/a", "a/b/c", ",", "a," * 3],
)
def test_refused(text: str) -> None:
    """What is no selector is refused and not taken for something else."""
    with pytest.raises(ValueError, match=r"no label selector|no value of a label"):
        Selector.parse(text)

"""The report of a playground's history."""

import numpy as np

from core.report import report_kinds, result_sections
from core.schema import make_conversation
from core.versions import VersionTree


def test_every_model_has_its_own_line_with_the_baseline_and_versions_without_a_reward_are_gaps():
    tree = VersionTree()
    tree.add(make_conversation("Why?", "one two"), None, "start", {"words": 2.0, "late": 0.5})
    tree.add(make_conversation("Why?", "one two three"), 1, "edit", {"words": 3.0})
    (section,) = result_sections(
        "versions", {"versions": tree.to_frame()}, {"noise_floors": {"words": 0.25}}
    )
    late, words = section.figures
    assert list(words.data[0].y) == [2.0, 3.0]
    assert list(words.layout.xaxis.ticktext) == ["v1", "v2"]
    band, line = words.layout.shapes
    assert (band.y0, band.y1, line.y0) == (1.75, 2.25, 2.0)
    assert np.isnan(late.data[0].y[1])
    assert len(late.layout.shapes) == 1  # no noise floor is known
    assert len(section.tables["All versions"]) == 2


def test_the_kind_is_known():
    assert "versions" in report_kinds()

"""Pictures of words: projections, the web page, the parallelogram."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp_rnn.drawing import save
from nlp_rnn.embeddings import maps
from nlp_rnn.embeddings.intrinsic import spearman
from nlp_rnn.embeddings.maps import analogy_picture, map_picture, write_page
from nlp_rnn.embeddings.projection import DENSE, caption, principal_components, project
from nlp_rnn.embeddings.vectors import WordVectors
from nlp_rnn.errors import UserError

KINGS = WordVectors(
    ["man", "king", "woman", "queen", "apple", "$x^"],
    np.array([[0, 1, 0.1], [2, 1, 0], [0, 1, 1.2], [2, 1, 1], [5, -9, 0], [-3, 1, 1]]),
)


def clusters(words: int = 60) -> WordVectors:
    """Words in three directions."""
    rng = np.random.default_rng(1)
    matrix = np.eye(3, 10)[np.arange(words) % 3] + 0.05 * rng.normal(size=(words, 10))
    return WordVectors([f"w{i}" for i in range(words)], matrix)


def test_principal_components_keep_the_distances_of_what_lies_in_a_plane() -> None:
    rng = np.random.default_rng(1)
    plane = rng.normal(size=(20, 2)) @ np.linalg.qr(rng.normal(size=(7, 7)))[0][:2] + 3
    points = principal_components(plane)
    for i, j in ((0, 1), (4, 9)):
        assert np.linalg.norm(points[i] - points[j]) == pytest.approx(
            np.linalg.norm(plane[i] - plane[j])
        )
    assert points[:, 0].var() >= points[:, 1].var()
    np.testing.assert_allclose(principal_components(-plane), points)  # signs are settled


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_words_of_a_cluster_are_nearer_to_each_other_than_to_others(method: str) -> None:
    points = project(clusters(), method, perplexity=10)  # type: ignore[arg-type]
    centres = np.stack([points[i::3].mean(axis=0) for i in range(3)])
    to_centres = np.linalg.norm(points[:, None] - centres, axis=2)
    assert (to_centres.argmin(axis=1) == np.arange(60) % 3).all()


def spiral(words: int) -> WordVectors:
    """Words along a curve that winds three times around the unit sphere as it rises."""
    height, angle = np.linspace(-0.6, 0.6, words), np.linspace(0, 6 * np.pi, words)
    radius = np.sqrt(1 - height**2)
    matrix = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), height])
    return WordVectors([f"w{i}" for i in range(words)], matrix)


@pytest.mark.parametrize("words", [300, DENSE + 1])
def test_lle_unrolls_a_curve_whose_turns_pca_lays_over_each_other(words: int) -> None:
    order = list(range(words))
    unrolled = project(spiral(words), "lle", neighbours=6)
    assert abs(spearman(order, unrolled[:, 0].tolist())) > 0.99
    flat = project(spiral(words), "pca")
    assert max(abs(spearman(order, column.tolist())) for column in flat.T) < 0.9
    np.testing.assert_array_equal(unrolled, project(spiral(words), "lle", neighbours=6))


def test_points_of_lle_are_rebuilt_by_the_weights_that_rebuild_their_vectors() -> None:
    vectors = spiral(80)
    points = project(vectors, "lle", neighbours=5)
    unit = vectors.matrix / vectors.norms[:, None]
    distances = np.linalg.norm(unit[:, None] - unit, axis=2)
    rebuilt = np.zeros_like(points)
    for i in range(80):
        near = np.argsort(distances[i])[1:6]
        differences = (unit[near] - unit[i]).astype(np.float64)
        gram = differences @ differences.T
        weights = np.linalg.solve(gram + 1e-3 * np.trace(gram) * np.eye(5), np.ones(5))
        rebuilt[i] = weights / weights.sum() @ points[near]
    assert abs(rebuilt - points).max() < 0.05 * points.std()
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(points.T @ points / 80, np.eye(2), atol=1e-6)


def test_lle_needs_more_words_than_neighbours() -> None:
    with pytest.raises(
        UserError, match=r"--neighbours 12 needs more than 12 words.*give 9 or less"
    ):
        project(clusters(10), "lle")
    assert np.isfinite(project(clusters(10), "lle", neighbours=9)).all()


@pytest.mark.slow
def test_tsne_is_drawn_by_its_seed() -> None:
    one, again, other = (project(clusters(), "tsne", 5, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_a_large_perplexity_is_cautioned_and_one_too_large_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    project(clusters(60), "tsne", 15)
    assert "caution" not in capsys.readouterr().err
    project(clusters(60), "tsne", 25)
    assert "caution: perplexity 25 is large for 60 words" in capsys.readouterr().err
    with pytest.raises(UserError, match="give 20 or less"):
        project(clusters(60), "tsne", 60)
    with pytest.raises(UserError, match="needs three vectors at least"):
        project(clusters(2))


def test_the_caption_tells_the_method_and_what_is_left_of_the_variance() -> None:
    vectors = clusters()
    unit = vectors.matrix / np.linalg.norm(vectors.matrix, axis=1, keepdims=True)
    variances = np.linalg.eigvalsh(np.cov(unit.T))[::-1]
    share = variances[:2].sum() / variances.sum()
    note = caption(vectors, project(vectors), "pca", 30, 1)
    assert note.startswith("60 words")
    assert f"PCA: this plane holds {100 * share:.0f}% of the variance" in note
    assert "t-SNE, perplexity 7.5, seed 3" in caption(vectors, project(vectors), "tsne", 7.5, 3)


def page_data(file: Path) -> dict[str, Any]:
    page = file.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_page_has_the_nearest_neighbours_of_every_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maps, "BLOCK", 7)
    vectors = clusters()
    write_page(vectors, project(vectors), "title", "note", tmp_path / "map.html")
    for word, pairs in zip(vectors.words, page_data(tmp_path / "map.html")["nearest"], strict=True):
        expected = vectors.neighbours(word, maps.NEIGHBOURS)
        assert [vectors.words[row] for row, _ in pairs] == [other for other, _ in expected]
        assert [cosine for _, cosine in pairs] == pytest.approx([c for _, c in expected], abs=6e-4)


def test_the_page_needs_nothing_else_and_words_are_no_markup(tmp_path: Path) -> None:
    words = ["</script><script>alert(1)</script>", "$data", "naïve", "a"]
    vectors = WordVectors(words, np.array([[1, 0], [0, 1], [1, 0.1], [-1, 0.0]]))
    write_page(vectors, project(vectors), "<b>&", "a < b", tmp_path / "map.html")
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "<title>&lt;b&gt;&amp;</title>" in page
    assert "alert(1)</script>" not in page
    assert not re.search(r"https?://|src=|@import", page)
    assert "<p>a &lt; b</p>" in page
    data = page_data(tmp_path / "map.html")
    assert data["words"] == words
    assert len(data["points"]) == 4
    cosine = float(vectors.similarity(words[0], "naïve"))
    assert data["nearest"][0][0] == [2, pytest.approx(cosine, abs=1e-3)]
    assert [i for i, _ in data["nearest"][3]] == [1, 2, 0]


def test_pictures_show_words_as_they_are_written(tmp_path: Path) -> None:
    figure = map_picture(KINGS.words, project(KINGS), "map", "note")
    assert [text.get_text() for text in figure.axes[0].texts] == KINGS.words
    save(figure, tmp_path / "map.png")  # "$x^" is no formula
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_no_name_covers_another_and_that_some_are_left_out_is_said() -> None:
    vectors = clusters(400)
    figure = map_picture(vectors.words, project(vectors), "map", "note.")
    figure.draw_without_rendering()
    boxes = np.array([text.get_window_extent().extents for text in figure.axes[0].texts])
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    upon = ((low < boxes[:, 2:]) & (boxes[:, :2] < high)).all(axis=2)
    np.testing.assert_array_equal(upon, np.eye(len(boxes)))
    assert 50 < len(boxes) < 400
    assert f"{len(boxes)} words are labelled" in figure.axes[0].get_xlabel().replace("\n", " ")


def test_the_parallelogram_ends_at_the_answer() -> None:
    figure = analogy_picture(KINGS, "man", "king", "woman")
    axes = figure.axes[0]
    assert axes.get_title() == "man : king = woman : queen"
    places = {text.get_text(): text.xy for text in axes.texts if text.get_text()}
    assert places.keys() == {"man", "king", "woman", "queen"}
    ((x, y),) = axes.collections[1].get_offsets()
    sought = np.array(places["king"]) - places["man"] + places["woman"]
    np.testing.assert_allclose([x, y], sought, atol=1e-6)


def test_every_corner_of_a_parallelogram_has_its_name_however_long() -> None:
    words = [word * 30 for word in ("a", "b", "c", "d")]
    figure = analogy_picture(WordVectors(words, KINGS.matrix[:4]), *words[:3])
    assert {text.get_text() for text in figure.axes[0].texts} >= set(words)

"""The tables of ``pleinair evaluate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from .console import add_row

if TYPE_CHECKING:
    from ..evaluation.scores import Scores
    from ..evaluation.viewing import ViewingScores


def score_table(scores: Scores, dimensions: int) -> Table:
    """Scores as a table; what could not be measured says why."""
    s, few = scores, f"needs more than {dimensions} pictures of each"
    table = Table("score", "painted", "originals", "meaning")
    for name, painted, original, meaning in (
        ("KID", s.kid, s.kid_photographs, "distance to the targets; 0 is none"),
        ("KID ratio", s.kid_ratio, 1, "below 1: nearer to them than the originals are"),
        ("FID", s.fid, s.fid_photographs, few if s.fid is None else "distance to the targets"),
        ("SSIM", s.ssim, 1, "structure kept"),
        ("CIEDE2000", s.delta_e, 0, "how far colours are from the original's"),
        ("strength", s.strength, 0, "mean change in grey levels"),
        ("checkerboard", s.checkerboard, 1, "above 1: a regular pattern of 8, 4 or 2 pixels"),
        ("flicker", s.flicker, 1, "above 1: flickers more than the clip; needs --clip"),
        ("L1 to the pair", s.pair_l1, s.pair_l1_photographs, "grey levels; needs pairs"),
        ("CIEDE2000 to it", s.pair_delta_e, s.pair_delta_e_photographs, "colours; needs pairs"),
    ):
        add_row(table, name, _number(painted), _number(original), meaning)
    return table


def viewing_table(scores: ViewingScores) -> Table:
    """Scores at viewing size, and what each is worth."""
    s = scores
    enlarged = f", of them enlarged: {s.enlarged}" if s.enlarged else ""
    table = Table(
        "score",
        "painted",
        "originals",
        "what it is worth",
        title=f"at viewing size, 720 rows; pictures: {s.pictures}{enlarged}",
        caption="None of these agreed with blind viewers: scores describe, eyes decide.",
    )
    length, width = s.mark_length_photographs, s.mark_width_photographs
    elongation = s.mark_elongation_photographs
    for name, painted, original, worth in (
        (
            "stroke strength",
            s.stroke_strength,
            0,
            "tells strokes from a mere tint; dirt counts too",
        ),
        ("content", s.content, 1, "tells a lost subject; an unpainted picture scores best"),
        ("checkerboard 2", s.checkerboard_2, 1, "above 1, look for a grid of 2 pixels"),
        ("checkerboard 4", s.checkerboard_4, 1, "the same, of 4"),
        ("checkerboard 8", s.checkerboard_8, 1, "the same, of 8"),
        ("border", s.border, 1, "above 1.1, look for a frame; strong strokes hide a faint one"),
        ("sky lightness", s.sky_lightness, s.sky_lightness_photographs, "dead or noisy skies, L*"),
        ("sky hue", s.sky_hue, s.sky_hue_photographs, "the same of colour, a* and b*"),
        ("mark length", s.mark_length, length, "pixels; size of patches, brushwork or not"),
        ("mark width", s.mark_width, width, "the same across"),
        ("mark elongation", s.mark_elongation, elongation, "dabs or strokes; edges count as well"),
        ("raggedness", s.raggedness, 0, "pixels that outlines stray; by hand or by accident"),
        ("still", s.still, 1, "0: stands still under camera noise; a photograph scores 1"),
        ("KID", s.kid, s.kid_photographs, "does not agree with eyes"),
    ):
        add_row(table, name, _number(painted), _number(original), worth)
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"

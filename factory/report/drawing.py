"""Draws Vega-Lite specs, without a browser: SVG for the page, PNG for the card.

Guarantees: nothing is fetched and no script stands in what is drawn: a spec holds its data, and the SVG is
still pictures and text. Equal specs give equal bytes with the same vl-convert. In SVG the colours of LIGHT
are CSS variables, so that the page can be dark, and each mark has a title that browsers show under the
pointer. Left out: what is drawn (`figures.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from factory.report.markup import visible

SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v6.json"

LIGHT: Final[Mapping[str, str]] = {
    "ink": "#1f2328",
    "soft": "#57606a",
    "grid": "#d8dee4",
    "rest": "#b4bec8",
    "c0": "#0072b2",
    "c1": "#d55e00",
    "c2": "#009e73",
    "c3": "#b0508c",
    "c4": "#7a6a00",
    "c5": "#2aa7de",
}
"""Colours on white, apart for the colour-blind too (after Okabe and Ito, darker where thin lines need it)."""

DARK: Final[Mapping[str, str]] = {
    "ink": "#e6edf3",
    "soft": "#9aa4ae",
    "grid": "#39424c",
    "rest": "#56616c",
    "c0": "#4aa8e8",
    "c1": "#f5894a",
    "c2": "#2fc79a",
    "c3": "#e79ac8",
    "c4": "#d9c544",
    "c5": "#8ad4f7",
}
"""The same on a dark ground."""

SERIES: Final = tuple(LIGHT[name] for name in ("c0", "c1", "c2", "c3", "c4", "c5"))

BESIDE_VIEWS: Final = 90
"""Pixels that the axis and the padding of a view take, of several above or beside each other."""

_FONT: Final = "Liberation Sans, Arial, Helvetica, sans-serif"
_CONFIG: Final[Mapping[str, Any]] = {
    "font": _FONT,
    "view": {"stroke": None},
    "background": None,
    "axis": {
        "labelColor": LIGHT["soft"],
        "titleColor": LIGHT["ink"],
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridColor": LIGHT["grid"],
        "domainColor": LIGHT["soft"],
        "tickColor": LIGHT["soft"],
        "titlePadding": 12,
        "labelOverlap": True,
        "labelSeparation": 8,
    },
    "legend": {
        "labelColor": LIGHT["ink"],
        "labelFontSize": 12,
        "orient": "top",
        "labelLimit": 130,
        "symbolStrokeWidth": 3,
        "symbolSize": 90,
        "columnPadding": 26,
        "offset": 8,
    },
}
_COLOURS: Final = re.compile(r'"(' + "|".join(LIGHT.values()) + r')"')
_NAMES: Final = {colour: name for name, colour in LIGHT.items()}
_LABELLED: Final = re.compile(r'<(path|line)( aria-label="([^"]*)"[^>]*?)/>')
_DRAWN_SIZE: Final = re.compile(r' width="(\d+)" height="(\d+)" viewBox')


def _full(spec: Mapping[str, Any], width: int, background: str | None) -> dict[str, Any]:
    legend = {**_CONFIG["legend"], "columns": max(2, width // 170)}
    size = 11 if width < 480 else 12  # bins of six labels touch each other on a telephone
    axis = {**_CONFIG["axis"], "labelFontSize": size}
    config = {**_CONFIG, "background": background, "legend": legend, "axis": axis}
    return {
        "$schema": SCHEMA,
        "padding": {"left": 12, "right": 12, "top": 4, "bottom": 4},
        "config": config,
        **_sized(_visible(spec), width),
    }


def _sized(spec: dict[str, Any], width: int) -> dict[str, Any]:
    """The spec `width` pixels wide. Views above or beside each other are not fitted by Vega-Lite: they get
    what the padding and the widest axis leave."""
    if "hconcat" in spec:
        each = width // len(spec["hconcat"]) - BESIDE_VIEWS
        return {**spec, "hconcat": [{**view, "width": each} for view in spec["hconcat"]]}
    if "vconcat" in spec:
        return {**spec, "vconcat": [{**view, "width": width - BESIDE_VIEWS} for view in spec["vconcat"]]}
    return {"width": width, "autosize": {"type": "fit", "contains": "padding"}, **spec}


def _visible(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _visible(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_visible(one) for one in value]
    return visible(value) if isinstance(value, str) else value


def svg(spec: Mapping[str, Any], width: int) -> str:
    """The chart as an SVG element `width` pixels wide. Raises ValueError for a spec Vega-Lite refuses."""
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(_full(spec, width, None), allowed_base_urls=[])
    drawn = _COLOURS.sub(lambda found: f'"var(--{_NAMES[found[1]]})"', drawn)
    drawn = _LABELLED.sub(r"<\1\2><title>\3</title></\1>", drawn)
    # A pixel size would overflow narrower screens; the view box keeps the shape.
    return _DRAWN_SIZE.sub(r' data-width="\1" data-height="\2" viewBox', drawn, count=1)


def png(spec: Mapping[str, Any], width: int) -> bytes:
    """The chart on white as PNG, two dots a pixel. Raises ValueError for a spec Vega-Lite refuses."""
    import vl_convert

    drawn: bytes = vl_convert.vegalite_to_png(_full(spec, width, "#ffffff"), scale=2, allowed_base_urls=[])
    return drawn

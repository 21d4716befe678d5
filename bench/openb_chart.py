"""Lines in an SVG: what is allocated over what has been asked for, in shares of all there is."""

from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT, _MARGIN, _LEGEND = 560, 400, 48, 190
_COLOURS = ("#7f7f7f", "#bcbd22", "#ff7f0e", "#1f77b4", "#2ca02c", "#d62728", "#9467bd", "#17becf")
_POINTS_MAX = 200
Line = Sequence[tuple[float, float]]


def draw(lines: Mapping[str, Line]) -> str:
    """Draw one line for each name, from 80 % on, where they part."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH + _LEGEND}" height="{_HEIGHT}">',
        '<g font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for step in range(5):
        share = 0.8 + step * 0.05
        x, y = _at((share, share))
        parts.append(
            f'<text x="{x:.0f}" y="{_HEIGHT - 28}" text-anchor="middle">{share:.0%}</text>'
        )
        parts.append(
            f'<text x="{_MARGIN - 6}" y="{y + 4:.0f}" text-anchor="end">{share:.0%}</text>'
        )
        parts.append(f'<path d="M{_MARGIN},{y:.0f}H{_WIDTH - 8}" stroke="#dddddd"/>')
    parts.append(
        f'<text x="{_WIDTH / 2:.0f}" y="{_HEIGHT - 8}" text-anchor="middle">GPUs asked for</text>'
        f'<text x="{_MARGIN}" y="14">GPUs allocated</text>'
    )
    for line, colour in zip(lines.values(), _COLOURS, strict=False):
        points = " ".join("{:.1f},{:.1f}".format(*_at(one)) for one in _thinned(line))
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        )
    for number, (name, colour) in enumerate(zip(lines, _COLOURS, strict=False)):
        y = 40 + 20 * number
        parts.append(f'<path d="M{_WIDTH},{y}h24" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<text x="{_WIDTH + 30}" y="{y + 4}">{name}</text>')
    return "\n".join([*parts, "</g></svg>", ""])


def _at(point: tuple[float, float]) -> tuple[float, float]:
    x, y = ((max(0.8, one) - 0.8) / 0.2 for one in point)
    return (
        _MARGIN + x * (_WIDTH - _MARGIN - 8),
        _HEIGHT - _MARGIN - y * (_HEIGHT - _MARGIN - 24),
    )


def _thinned(line: Line) -> Line:
    seen = [one for one in line if one[0] >= 0.8]
    return [*seen[:: max(1, len(seen) // _POINTS_MAX)], *seen[-1:]]

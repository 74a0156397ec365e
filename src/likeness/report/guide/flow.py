"""How data and gradients flow through a method, as a drawing in portrait: it reads on a phone and beside a list of its steps.

Every arrow bears the number of its step, so the drawing reads without motion. The page's script lights one step after another; the dots
that then run along arrows are moved by the style sheet alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from likeness.report.guide.pages import Edge, Flow, Node
from likeness.report.plots import svg

WIDTH, LEFT, COLUMN, TOP, ROW = 384, 66, 126, 30, 78
BOX, TALL = 112, 48
Point = tuple[float, float]


def flow_drawing(flow: Flow, name: str) -> Markup:
    """`name` of the method, for the ids of its arrowheads."""
    boxes = {node.name: node for node in flow.nodes}
    height = TOP + ROW * max(node.at[1] for node in flow.nodes) + TALL / 2 + 8
    heads = Markup("").join(
        Markup('<marker id="{0}-{1}" class="head {1}" viewBox="0 0 8 8" refX="6.5" refY="4" markerUnits="userSpaceOnUse" markerWidth="10" markerHeight="10" orient="auto"><path d="M0 0 L8 4 L0 8 Z"/></marker>').format(name, kind)
        for kind in ("data", "gradient")
    )  # fmt: skip
    parts = [Markup("<defs>{}</defs>").format(heads), *(_edge(edge, boxes, name) for edge in flow.edges), *(_node(node, flow) for node in flow.nodes)]
    label = "; ".join(f"{edge.step}: {boxes[edge.from_].label} to {boxes[edge.to].label}{' (gradient)' * (edge.kind == 'gradient')}" for edge in flow.edges)
    return svg(WIDTH, height, label, [*parts, *_badges(flow, boxes)])


def _centre(node: Node) -> Point:
    return LEFT + COLUMN * node.at[0], TOP + ROW * node.at[1]


def _ways(edge: Edge, boxes: dict[str, Node]) -> tuple[Point, Point, Point, Point]:
    """Start, two handles and end of an arrow: sideways within a row, else from edge to edge."""
    start, end = boxes[edge.from_], boxes[edge.to]
    (x0, y0), (x1, y1) = _centre(start), _centre(end)
    half = {node.name: BOX * node.wide / 2 for node in (start, end)}
    if y0 == y1 and not edge.bend:
        side = 1 if x1 > x0 else -1
        a, b = (x0 + side * half[start.name], y0), (x1 - side * (half[end.name] + 3), y1)
        return a, a, b, b
    if edge.bend:  # out of one flank and into the other's, on the side that it swerves to
        side = 1 if edge.bend > 0 else -1
        a, b = (x0 + side * half[start.name], y0), (x1 + side * (half[end.name] + 3), y1)
        outer = (max if side > 0 else min)(a[0], b[0]) + edge.bend
        return a, (outer, a[1]), (outer, b[1]), b
    down = 1 if y1 > y0 else -1
    # an arrow leaves a wide box below its goal, and enters a wide box below its start
    xa = min(max(x1, x0 - half[start.name] + 14), x0 + half[start.name] - 14) if start.wide > 1 else x0
    xb = min(max(x0, x1 - half[end.name] + 14), x1 + half[end.name] - 14) if end.wide > 1 else x1
    a, b = (xa, y0 + down * TALL / 2), (xb, y1 - down * (TALL / 2 + 3))
    middle = (a[1] + b[1]) / 2
    return a, (xa, middle), (xb, middle), b


def _edge(edge: Edge, boxes: dict[str, Node], name: str) -> Markup:
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = _ways(edge, boxes)
    path = f"M{ax:.1f} {ay:.1f} C{bx:.1f} {by:.1f} {cx:.1f} {cy:.1f} {dx:.1f} {dy:.1f}"
    drawn = Markup('<g class="edge {0}" data-step="{1}"><path d="{2}" marker-end="url(#{3}-{0})"/>').format(edge.kind, edge.step, path, name)
    dots = Markup("").join(Markup('<circle class="dot" r="4" style="offset-path:path(\'{}\');animation-delay:{}s"/>').format(path, delay) for delay in (0, 0.5))
    return drawn + dots + Markup("</g>")


def _badges(flow: Flow, boxes: dict[str, Node]) -> Iterator[Markup]:
    """The step's number in the middle of each arrow, above everything."""
    for edge in flow.edges:
        ways = _ways(edge, boxes)
        x, y = (sum(weight * point[axis] for weight, point in zip((1, 3, 3, 1), ways)) / 8 for axis in (0, 1))
        badge = Markup('<g class="badge {}" data-step="{}"><circle cx="{:.1f}" cy="{:.1f}" r="8"/><text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text></g>')
        yield badge.format(edge.kind, edge.step, x, y, x, y + 3.7, edge.step)


def _node(node: Node, flow: Flow) -> Markup:
    x, y = _centre(node)
    width = BOX * node.wide
    steps = " ".join(dict.fromkeys(str(edge.step) for edge in flow.edges if node.name in (edge.from_, edge.to)))
    box = Markup('<g class="node {}" data-step="{}"><rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}" rx="{}"/>').format(
        node.kind, steps, x - width / 2, y - TALL / 2, width, TALL, 24 if node.kind == "loss" else 9
    )
    lines = Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(x, y + (-2 if node.sub else 4.5), node.label)
    if node.sub:
        lines += Markup('<text class="sub" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(x, y + 13, node.sub)
    return box + lines + Markup("</g>")

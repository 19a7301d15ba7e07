"""Self-contained HTML pages: charts as SVG, pictures in the page, nothing fetched from anywhere."""

from pgan_toolkit.pages.axes import Axis, linear_axis, log_axis
from pgan_toolkit.pages.charts import BarGroup, Chart, Line, bar_chart, line_chart
from pgan_toolkit.pages.pictures import (
    LONGEST_PX,
    MOST_PICTURE_BYTES,
    Gallery,
    PagePicture,
    page_picture,
)
from pgan_toolkit.pages.rendering import render_page, require_jinja, write_page
from pgan_toolkit.pages.tables import Cell, Table

__all__ = [
    "LONGEST_PX",
    "MOST_PICTURE_BYTES",
    "Axis",
    "BarGroup",
    "Cell",
    "Chart",
    "Gallery",
    "Line",
    "PagePicture",
    "Table",
    "bar_chart",
    "line_chart",
    "linear_axis",
    "log_axis",
    "page_picture",
    "render_page",
    "require_jinja",
    "write_page",
]

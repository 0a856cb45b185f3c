"""The page of a camera's image."""

from pathlib import Path

from nightwatch.webpages.prices import page


def write_image_html(input, output, downsample=4, night=None):
    """Writes the page `output` of the image `input`, whose name ends in its number."""
    expid = int(Path(input).stem.rpartition("-")[2])
    Path(output).write_text(page(f"Image {input} 1:{downsample}", expid))

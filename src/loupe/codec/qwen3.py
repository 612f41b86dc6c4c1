"""Qwen3-VL: the JSON of Qwen2.5-VL with thousandths of the picture instead of pixels.

[{"bbox_2d": [x1, y1, x2, y2], "label": "cup"}], points with "point_2d"; without a phrase [x1, y1, x2, y2]. Many models
of others write so when they are told to. Colours [r, g, b] are ours; polygons are not defined.
"""

from loupe.codec.qwen import family

QWEN3 = family("qwen3-vl", grid=1000)

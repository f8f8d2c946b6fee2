"""pandas' data frames: ``vineyard.data.dataframe`` as earlier code imports it.

A type of their own is not offered yet: they are stored as :mod:`vineyard.data.arrow` says.
"""

from __future__ import annotations

from vineyard.data.arrow import register_arrow_types

register_dataframe_types = register_arrow_types

"""Sample data for a rehearsal: what the project directory of a Nightwatch stack holds.

`lay_out` writes it: static pages, FITS data, and small stand-ins for the checkouts of
nightwatch, desimodel and desiutil. All of it is made up here; none of it is DESI's.
"""

from __future__ import annotations

from spinstack.sample.layout import fill, lay_out

__all__ = ["fill", "lay_out"]

"""How many pixels of a picture are an inch or a metre of paper."""

from dataclasses import dataclass

ASPECT, INCH, CENTIMETRE, METRE = 'aspect', 'inch', 'centimetre', 'metre'
_INCHES = {INCH: 1.0, CENTIMETRE: 1 / 2.54, METRE: 1 / 0.0254}


@dataclass(frozen=True)
class Density:
    """x, y: pixels per unit along the width and the height; 'aspect' states only their proportion."""

    x: float
    y: float
    unit: str = INCH

    def per(self, unit: str) -> tuple[int, int]:
        """Pixels per that unit, whole numbers; the proportion alone stays itself."""
        factor = 1.0 if ASPECT in (unit, self.unit) else _INCHES[unit] / _INCHES[self.unit]
        return round(self.x * factor), round(self.y * factor)

    def turned(self) -> 'Density':
        """That of the picture lying on its side."""
        return Density(self.y, self.x, self.unit)

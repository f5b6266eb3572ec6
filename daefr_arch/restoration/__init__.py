"""From a photo to its restored faces and back."""

"""Face verification by LFW's protocol."""

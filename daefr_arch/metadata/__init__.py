"""What the files of photos carry beside their pixels: read, made true of the result, written."""

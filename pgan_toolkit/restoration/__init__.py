"""What restores a photograph before it is cropped."""

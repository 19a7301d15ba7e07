"""Bytes on disk: one protocol for records, many formats behind it, and atomic writes."""

"""Data about data: names, sizes, checksums, licences and sources. The files beside this one."""

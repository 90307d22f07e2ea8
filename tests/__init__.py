"""Tests of flowser; they mirror src, file by file."""

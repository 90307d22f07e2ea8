"""Tests of the local SWF."""

"""Tests of the engine of the local SWF."""

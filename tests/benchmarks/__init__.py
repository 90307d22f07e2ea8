"""What flowser costs, beside a bare aiobotocore loop: ``python -m tests.benchmarks``.

One run, one scripted server in a process of its own. Absolute values are those of the
machine at that moment; the ratios are what counts. Nothing is asserted.
"""

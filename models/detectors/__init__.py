"""Detectors of change in one contract, so that our evidence can be held against what is known.

Only models/detectors/e_detector.py and models/detectors/return_period.py are what the stream runs;
the others are here to be measured beside them (docs/detectors.md).
"""

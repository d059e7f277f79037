"""Tests of ``dataflow.imgaug``."""

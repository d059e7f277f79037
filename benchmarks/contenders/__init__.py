"""A module for each contender: for each workload it can do, a function that returns an endless iterable."""

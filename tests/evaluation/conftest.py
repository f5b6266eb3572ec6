"""The face that metrics are tested on."""

from tests.metrics.conftest import degraded, sharp  # noqa: F401  fixtures

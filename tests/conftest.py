"""What several rooms' tests share."""

from __future__ import annotations

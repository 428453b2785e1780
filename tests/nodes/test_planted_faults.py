"""Faults planted in the backward of nodes are all found by the check the table uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.nodes import planted_faults


def test_every_planted_fault_is_caught() -> None:
    assert len(planted_faults.FAULTS) >= 50
    script = Path(planted_faults.__file__)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(planted_faults.FAULTS)} of {len(planted_faults.FAULTS)}" in done.stdout


def test_a_fault_is_gone_once_its_block_ends() -> None:
    fault = planted_faults.FAULTS[0]
    kept = fault.node.pure_backward, fault.node.backward
    with planted_faults.planted(fault):
        assert fault.node.pure_backward is fault.backward
    assert (fault.node.pure_backward, fault.node.backward) == kept
    assert planted_faults.caught_after(planted_faults.alone, fault)

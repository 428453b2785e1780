"""From LLVM IR to an object file for a processor: llvmlite's part."""

from __future__ import annotations

import os

import llvmlite.binding as llvm

from chainrule.errors import SettingError, shown
from chainrule.lang.messages import _

__all__ = ["listing", "object_file", "processor", "vector_bytes"]

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()


def processor() -> tuple[str, str]:
    """The processor that kernels are made for, and its features: this one's.

    CHAINRULE_CPU=generic is what every processor of this family has, so that machine code can be
    carried from one to another.
    """
    wanted = os.environ.get("CHAINRULE_CPU", "")
    if wanted == "generic":
        return ("x86-64" if "x86_64" in llvm.get_default_triple() else "generic"), ""
    if wanted:
        raise SettingError(
            _("CHAINRULE_CPU={given} is not known; the only value is generic.", given=shown(wanted))
        )
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def vector_bytes() -> int:
    """The bytes of a vector that the processor computes with at once."""
    _cpu, features = processor()
    has = set(features.split(","))
    return 64 if "+avx512f" in has else 32 if "+avx2" in has else 16


def object_file(text: str) -> bytes:
    """The object file of a module."""
    machine, module = _optimized(text)
    found: bytes = machine.emit_object(module)
    return found


def listing(text: str) -> tuple[str, str]:
    """What LLVM makes of a module, to read: the IR after all passes, and the assembly."""
    machine, module = _optimized(text)
    return str(module), machine.emit_assembly(module)


def _optimized(text: str) -> tuple[llvm.TargetMachine, llvm.ModuleRef]:
    cpu, features = processor()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=cpu, features=features, opt=3, reloc="pic", codemodel="jitdefault"
    )
    module = llvm.parse_assembly(text)
    module.triple = llvm.get_default_triple()
    module.data_layout = str(machine.target_data)
    module.verify()
    # What a text has to write out it writes out itself: loops unrolled by LLVM are no faster, and take
    # half as long again to compile.
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = True
    options.loop_interleaving = options.loop_unrolling = False
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    return machine, module

"""The results of one family of processors in Markdown."""

from __future__ import annotations

from typing import Any

from benchmarks.comparison.measuring import TOLERANCE
from benchmarks.comparison.tables import short, table
from benchmarks.comparison.targets import TARGETS
from benchmarks.machine import size_text

#: What was published for the network of row s: processor, cores, µs an epoch (a step).
SIMPLECHAINS = (
    ("Core i9-10980XE", 18, 41),
    ("EPYC 7513", 32, 72),
    ("Core i7-1165G7", 4, 164),
)


def report(results: dict[str, Any]) -> str:
    """All that was measured on a family of processors."""
    machine, rows = results["machine"], results["rows"]
    lines = [f"# chainrule beside other libraries: {machine['family']}", ""]
    lines += [
        f"Made by `python benchmarks/compare.py`: {machine['cpu']}, {machine['cores']} cores,"
        f" {machine['system']}, Python {machine['python']}.",
        "The last rows were measured with "
        + ", ".join(f"{name} {v}" for name, v in results["versions"].items())
        + ".",
        "",
        "Medians, float32. Ratios are medians of each round's. All peers take turns in one run, each in",
        "a process and a Python environment of its own, so versions are beside each other.",
        "",
        f"![The figures as bars]({machine['family']}.png)",
        "",
        "## This processor",
        "",
        machine_table(machine),
        "",
        "## Targets",
        "",
        targets_table(rows),
        "",
        "## Figures",
        "",
        "× ours: how many times ours it takes. GFLOP/s a core: operations of the matrix products alone,",
        "for each second of a core. Cores: how many it kept busy, waiting threads among them. Warm-up:",
        "importing, building, compiling, and a first run's extra time, in no other figure (g and h: the",
        "run before). Off by: how far the mean loss, or the outputs, are from ours.",
        "",
    ]
    for key, row in rows.items():
        lines += row_lines(key, row, machine)
    lines += ["## Installed", "", *installed_lines(results["installed"]), ""]
    if results["absent"]:
        lines += ["## Not measured", ""]
        lines += [f"* {name}: {why}" for name, why in results["absent"].items()]
    return "\n".join(lines).rstrip() + "\n"


def machine_table(machine: dict[str, Any]) -> str:
    """Peak and bandwidth."""
    peak, alone = machine["peak"], machine["peak_alone"]
    rows = [
        ["measured", "", ""],
        [f"multiply-adds, {machine['lanes']} at once, one core", f"{alone:.0f} GFLOP/s", "alone"],
        ["", f"{peak:.0f} GFLOP/s", f"each of {machine['cores']}"],
    ]
    for size, rate in machine["bandwidth"].items():
        rows.append([f"y += a x over {size_text(float(size))}", f"{rate:.0f} GB/s", "all cores"])
    return table(rows)


def targets_table(rows: dict[str, Any]) -> str:
    """Every target of the rows that were measured."""
    lines = [["workload", "ours", "", "against", "", "reached", "target", "met"]]
    for target in TARGETS:
        if target.row not in rows:
            continue
        row = rows[target.row]
        verdict = target.judge(row["figures"])
        sides = []
        for name in (verdict["ours"], verdict["rival"]):
            figure = row["figures"].get(name)
            unit = row["unit"].partition(" ")[0]
            sides += [figure["title"], f"{short(figure['median'])} {unit}"] if figure else ["–", ""]
        met = "–" if verdict["met"] is None else "yes" if verdict["met"] else "NO"
        reached = verdict["reached"] or "–"
        title = f"{target.row}: {row['title']}"
        lines.append([title, *sides, reached, verdict["target"], met])
    return table(lines)


def row_lines(key: str, row: dict[str, Any], machine: dict[str, Any]) -> list[str]:
    """One row's table, and what is to be said of it."""
    lines = [figures_table(key, row), ""]
    rounds = f"{row['rounds']} round{'s' if row['rounds'] > 1 else ''}"
    quickly = ", short turns: rough figures" if row["quick"] else ""
    busy = row["others"]
    others = "" if busy is None else f" Other programs kept {busy:.1f} cores busy meanwhile."
    notes = [f"* Commit {row['commit']}, {row['date']}, {rounds}{quickly}.{others}"]
    notes += limit_notes(row, machine["peak"] * machine["cores"])
    if key == "s":
        published = [
            f"{µs} µs, {row['limit']['flops'] / µs / cores / 1e3:.0f} GFLOP/s a core ({cpu}, {cores} cores)"
            for cpu, cores, µs in SIMPLECHAINS
        ]
        notes.append(f"* Published for SimpleChains.jl in 2022: {'; '.join(published)}.")
    notes += [f"* {title}: left out, {why}" for title, why in row["left_out"].items()]
    return [*lines, *notes, ""]


def limit_notes(row: dict[str, Any], peak: float) -> list[str]:
    """What no program does faster with so many GFLOP/s."""
    limit = row["limit"]
    if limit is None:
        return []
    unit = row["unit"].partition(" ")[0]
    multiplying = limit["flops"] / (peak * 1e9) * limit["scale"]
    return [
        f"* Limits: {short(multiplying)} {unit} for {limit['flops']:,.0f} operations at the peak of all"
        f" cores; {short(limit['moving'])} {unit} to move parameters and optimizer state"
        f" ({size_text(limit['state'])} in all) at {limit['bandwidth']:.0f} GB/s."
    ]


def figures_table(key: str, row: dict[str, Any]) -> str:
    """One row's figures, the best first."""
    figures = row["figures"]
    head = [f"{key}: {row['title']}", row["unit"], "× ours", "spread"]
    rows = [[*head, "GFLOP/s a core", "cores", "warm-up s", "off by"]]
    for f in sorted(figures.values(), key=lambda figure: float(figure["median"])):
        off = "" if f.get("off") is None else f"{f['off']:.0e}"
        rows.append(
            [
                f["title"],
                short(f["median"]),
                times(f["ratio"]) if "ratio" in f else "",
                f"{short(min(f['rounds']))} to {short(max(f['rounds']))}",
                short(f["gflops_a_core"]) if "gflops_a_core" in f else "",
                f"{f['cores']:.1f}" if "cores" in f else "",
                f"{f['warm_up']:.1f}" if "warm_up" in f else "",
                off + (" !" if (f.get("off") or 0) > TOLERANCE else ""),
            ]
        )
    return table(rows)


def times(ratio: float) -> str:
    """A ratio with two decimals; of small ones two digits."""
    return f"{ratio:.2f}" if ratio >= 0.1 else short(ratio)


def installed_lines(sizes: list[dict[str, Any]]) -> list[str]:
    """What each library takes on the disk."""
    rows = [["installed, with all it requires", "MB", "packages", "the largest, MB"]]
    for entry in sizes:
        rows.append(
            [
                entry["title"],
                f"{entry['bytes'] / 1e6:,.0f}",
                str(entry["packages"]),
                entry["largest"],
            ]
        )
    return [table(rows)]

"""Attacks pleinair: cuts, kills, doubles and damaged inputs; prints a table of what came.

    python -m pleinair.tools.attack --inputs 10000 --kills 1000 --doubles 100

The same seeds give the same inputs. What is wrong is listed under the table, and the exit status is
then 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pleinair.bundle.resolve import SHIPPED
from pleinair.tools.attack_commands import COMMANDS
from pleinair.tools.attack_inputs import KINDS, attack_inputs, small_clip, write_generator
from pleinair.tools.attack_runs import Attack, Tally, attacks


def inputs(
    count: int, folder: Path, seed: int = 0
) -> Iterator[tuple[str, Callable[[Tally], None]]]:
    """Yields the name of each kind of input, and what tries it."""
    each = -(-count // len(KINDS))
    folder.mkdir(parents=True, exist_ok=True)
    if each:
        write_generator(folder / "inputs" / "generator.pt")
        small_clip(folder / "inputs" / "clip.mp4")

    def attempt(tally: Tally, kind: str) -> None:
        tally.runs = each
        attack_inputs(kind, each, folder / "inputs", tally.wrong.append, seed * each)

    for kind in KINDS if each else ():
        yield f"inputs: {kind}", partial(attempt, kind=kind)


def main() -> None:
    """Attacks, and prints the table."""
    form = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--inputs", type=int, default=400)
    parser.add_argument("--kills", type=int, default=30, help="signals at random, of all commands")
    parser.add_argument("--doubles", type=int, default=9, help="of all commands")
    parser.add_argument("--seed", type=int, default=0, help="of what is random")
    parser.add_argument("--only", nargs="+", default=[""], help="kinds whose names begin so")
    options = parser.parse_args()
    pictures = sorted((SHIPPED.parent / "tests" / "data" / "photos").glob("*.jpg"))[:3]
    wrong: list[str] = []
    print("| attack | runs | wrong | s |\n| --- | ---: | ---: | ---: |", flush=True)
    with tempfile.TemporaryDirectory(prefix="pleinair-attack-") as place:
        begun = tuple(only.split(" ")[0] for only in options.only)
        commands = [command for command in COMMANDS if f"{command.name}:".startswith(begun)]
        attack = Attack(Path(place), pictures, commands)
        every = [
            *attacks(attack, options.kills, options.doubles, commands, options.seed),
            *inputs(options.inputs, Path(place, "damaged"), options.seed),
        ]
        for name, act in every:
            if not name.startswith(tuple(options.only)):
                continue
            tally, started = Tally(), time.perf_counter()
            act(tally)
            wrong += tally.wrong
            seconds = time.perf_counter() - started
            print(f"| {name} | {tally.runs} | {len(tally.wrong)} | {seconds:.0f} |", flush=True)
    for one in wrong:
        print(f"- {one}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

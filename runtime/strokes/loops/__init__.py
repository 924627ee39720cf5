"""The stroke head as compiled loops, which read and write each number once.

A graph of operators passes over the whole picture a hundred times. These loops go row by row, so
what they share stays in the processor's nearest cache, and they leave out what nobody asks for.
They compute what ``export/graphs/strokes`` writes, in the same order and precision.

Numba compiles them for this processor when they are first called. Nothing here is imported unless
it is installed.
"""

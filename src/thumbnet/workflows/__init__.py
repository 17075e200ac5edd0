"""What a command does in several steps, where the Python API and other commands need it too.

Of one run: `judging`, `stored`, `prediction`, `comparing`, `zero_shot`, `analyzing`, `recording`, `estimate`,
`running`. Of several: the packages `ensembling`, `study`, `tuning` and `reproduction`. Besides: `demo`, `figures`.
"""

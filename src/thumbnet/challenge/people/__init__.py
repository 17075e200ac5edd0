"""Who takes part: accounts, teams, the roster, and the secrets by which they are known."""

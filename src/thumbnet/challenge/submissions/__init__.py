"""What happens to a submission: checked, scored, stored, limited to its cooldown, logged."""

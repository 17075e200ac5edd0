"""What a command does in several steps: judging a run, predicting, recording, the demo."""

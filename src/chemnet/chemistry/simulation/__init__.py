"""A network integrated along many tracers: plans, outcomes, and resuming after a kill."""

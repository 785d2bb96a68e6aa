"""A network integrated along many tracers: plans, outcomes, and going on after a kill."""

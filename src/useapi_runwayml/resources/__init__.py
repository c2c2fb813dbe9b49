"""The resources of a client: a blocking and an awaiting class each."""

"""The contract suite: what the package promises about the service."""

"""The migrations of the store: additive, so that a process of the version before goes on beside a newer one."""

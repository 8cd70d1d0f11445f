"""What `earlet evaluate` and `earlet fuse` are made of: the field's metrics, with intervals."""

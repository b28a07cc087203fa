"""What schemathesis does not know by itself: how our media types are sent."""

import schemathesis


@schemathesis.serializer("application/vnd.eqmesh.delivery", "application/vnd.eqmesh.messages")
def opaque(ctx, value):
    """Bytes go as they are; everything else as its text, which is no delivery and must be refused as such."""
    return value if isinstance(value, bytes) else str(value).encode()

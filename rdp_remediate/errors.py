"""The errors that a user may meet; every one says what happened, to what, and what to do next.

RdpRemediateError
├── UsageError            the caller's words or file are wrong; nothing was started (exit code 2)
│   └── PayloadError      an alert, event or request body is malformed, huge or hostile
├── NotApplicableError    the target exists but the product does not treat it, such as a Linux VM (exit code 2)
├── StoreError            the store could not be read or written, so nothing may be changed
│   ├── RecordExistsError     an insert found the key taken
│   └── RecordChangedError    somebody else wrote the record since it was read
├── DeliveryError         a summary could not be delivered
└── InternalError         our bug (exit code 70)

A failed read of the target is none of these: it is a fact, see `rdp_remediate.models.fact.Unavailable`.
"""


class RdpRemediateError(Exception):
    """Root of this package's errors; its text is a whole sentence for the user."""


class UsageError(RdpRemediateError):
    """The caller's words or file are wrong; nothing was started."""


class PayloadError(UsageError):
    """A payload is malformed, too large or of a shape that no source sends; nothing was started."""


class NotApplicableError(RdpRemediateError):
    """The target exists but is not treated here, for example a Linux VM."""


class StoreError(RdpRemediateError):
    """The store could not be read or written; without it nothing is changed."""


class RecordExistsError(StoreError):
    """An insert found its key taken."""


class RecordChangedError(StoreError):
    """A conditional write found another version than the one that was read."""


class DeliveryError(RdpRemediateError):
    """A summary could not be delivered; the reason holds no secret."""


class InternalError(RdpRemediateError):
    """A state that the code should make impossible: our bug."""

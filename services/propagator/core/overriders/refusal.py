"""Why an override does not fit an object, in words for the policy's author."""


class NotApplicable(Exception):
    """Never shown as it is: `apply_overrides` makes an `OverrideFailure` of it.

    The message names paths, not what is there: that may be a secret.
    """

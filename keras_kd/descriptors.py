"""File descriptors 0, 1 and 2, which libraries write to whether or not they are open."""

import os


def reserve_standard_descriptors() -> None:
    """Open the null device where standard input, output or error is closed, as in a daemon or a service.

    The next file that is opened would otherwise take the place of the closed stream, and receive what
    TensorFlow and other libraries write there.

    Examples:
        >>> reserve_standard_descriptors()  # nothing is closed here, so it changes nothing
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)  # as a standard stream is

"""Preparing datasets of tensorflow-datasets, once."""

import contextlib
import io
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from keras_kd.messages import one_line

if TYPE_CHECKING:
    from tensorflow_datasets.core import DatasetBuilder

_RETRIES = 3  # of a download; without a network, that is a second instead of minutes


def prepare(
    builder: "DatasetBuilder",
    progress: Callable[[str], None],
    *,
    title: str,
    origin: str,
    remedy: str,
    duration: str = "a while",
    manual: Path | None = None,
) -> None:
    """Make tensorflow-datasets write its records.

    Args:
        builder: The dataset.
        progress: Called with a line of text before the work begins.
        title: The name of the dataset in messages.
        origin: Where it comes from: `"by downloading 30 MB"`.
        remedy: What to do if that fails.
        duration: How long it takes.
        manual: A folder with the files, if they need not be downloaded.

    Raises:
        OSError: It cannot be prepared.
    """
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    progress(f"Preparing {title} {origin}: takes {duration}, only this time")
    config = tfds.download.DownloadConfig(manual_dir=manual)
    try:
        # It prints lines about unknown sizes, but standard output belongs to our caller.
        with contextlib.redirect_stdout(io.StringIO()), _few_retries():
            builder.download_and_prepare(download_config=config)
    except Exception as error:  # whatever failed, the remedy is the same
        raise OSError(f"{title} could not be prepared {origin} ({_reason(error)}). {remedy}") from error


def _reason(error: Exception) -> str:
    """What went wrong; of a connection, only to where."""
    url = getattr(getattr(error, "request", None), "url", None)
    if isinstance(error, OSError) and url:
        return f"no connection to {urlsplit(url).hostname}"
    return f"{type(error).__name__}: {one_line(error)}"


def prepare_by_download(builder: "DatasetBuilder", progress: Callable[[str], None]) -> None:
    """Make tensorflow-datasets download a dataset.

    Raises:
        OSError: It cannot be prepared.
    """
    prepare(
        builder,
        progress,
        title=builder.info.full_name,
        origin="by downloading it",
        remedy="It needs a network, and perhaps what the page says at https://www.tensorflow.org/datasets/"
        f"catalog/{builder.name}. Or write the arrays to an .npz file with numpy.savez.",
    )


@contextlib.contextmanager
def _few_retries() -> Iterator[None]:
    """Have downloads fail soon if there is no network, and without a line for every attempt."""
    from tensorflow_datasets.core.download import downloader

    logger, retries = logging.getLogger("urllib3.connectionpool"), downloader.MAX_RETRIES
    others = {thread.ident for thread in threading.enumerate()}
    downloading: set[int | None] = set()

    def is_told(record: logging.LogRecord) -> bool:
        return record.thread not in downloading if downloading else record.thread in others

    logger.addFilter(is_told)
    downloader.MAX_RETRIES = _RETRIES
    try:
        yield
        logger.removeFilter(is_told)
    finally:
        # After an error, other downloads may go on in threads.
        downloading |= {thread.ident for thread in threading.enumerate()} - others
        downloader.MAX_RETRIES = retries

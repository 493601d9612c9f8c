"""What can go wrong, as the user sees it.

    DelineateError        one sentence: the fact, then the remedy
    ├── DataError         the user's files or arrays are not what they must be
    ├── ModelError        a model folder is missing something, damaged, or does not fit the image
    ├── NotFittedError    `predict` was called before `fit`
    ├── TrainingError     training cannot go on (a loss that is not finite, a full disk)
    └── OutputError       a result cannot be written where it was asked for

The command line prints the sentence and exits with status 2; anything else that escapes is a bug.

>>> issubclass(DataError, DelineateError)
True
"""


class DelineateError(Exception):
    """Any failure that the user can mend; its text states the fact and the remedy."""


class DataError(DelineateError, ValueError):
    """The user's files or arrays are not what they must be."""


class ModelError(DelineateError):
    """A model folder is missing something, is damaged, or does not fit the image given to it."""


class NotFittedError(DelineateError):
    """`predict` was called on a method that has not been fitted."""


class TrainingError(DelineateError):
    """Training cannot go on; the last good model has been kept."""


class OutputError(DelineateError):
    """A result cannot be written where it was asked for; nothing was overwritten."""

"""Which mask value is which class, and which means that nobody said.

Every function here looks at the values that occur anywhere in a set (colours packed 0xRRGGBB), never at
pixels, and says in words what it understood. `masks.understand` calls them in turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from delineate.core import UNLABELLED, ClassTable, DataError
from delineate.data.legend import Legend
from delineate.data.problem import listed

BINARY = ClassTable(("background", "foreground"))


@dataclass(frozen=True)
class Values:
    """The values of a set of masks, rising.

    noun: "masks" or "scribbles", as messages call them. colour: the values are packed colours.
    apart: no mask holds both 255 and another value above 0. most: the value of more than half of all pixels, or None.
    clear: where nobody drew is transparent. files: which hold a value, where known.
    """

    values: tuple[int, ...]
    noun: str = "masks"
    colour: bool = False
    apart: bool = False
    most: int | None = None
    clear: bool = False
    files: Mapping[int, Sequence[str]] = field(default_factory=dict)

    def words(self, values: Iterable[int] | None = None) -> str:
        """Values, by default all, as a sentence has them."""
        return listed(named(v, colour=self.colour) for v in (self.values if values is None else values))

    def where(self, values: Iterable[int]) -> str:
        """The first file that holds one of the values, and how many more do, as brackets have it; "" where none is known."""
        files = listed(dict.fromkeys(file for v in values for file in self.files.get(v, ())), most=1)
        return f" (in {files})" if files else ""


@dataclass(frozen=True)
class Meaning:
    """Class index of each value, what the indices stand for, and what was understood and what was guessed, in words."""

    index: dict[int, int]
    classes: ClassTable
    note: str = ""
    guess: str = ""


def named(value: int, *, colour: bool) -> str:
    """A value as a person writes it.

    >>> named(255, colour=False), named(255, colour=True)
    ('255', '#0000ff')
    """
    return f"#{value:06x}" if colour else str(value)


def unlabelled_value(
    found: Values, *, legend: Legend | None, unlabelled: int | None, classes: ClassTable | None
) -> tuple[int | None, str]:
    """The value that means unlabelled, if one does, and a note on it.

    It is the one the user names, the legend's `ignore`, in scribbles what a legend does not name and most pixels hold,
    the only negative one, or 255 beside class numbers. Raises DataError where 255, or in scribbles 0 or what most pixels
    hold, can be read either way.

    >>> unlabelled_value(Values((0, 1, 255)), legend=None, unlabelled=None, classes=None)
    (255, '255 is read as unlabelled')
    """
    values, noun = found.values, found.noun
    if unlabelled is not None:
        word = found.words([unlabelled])
        return unlabelled, f"{word} is read as unlabelled, as asked" if unlabelled in values else ""
    if legend is not None and legend.ignore is not None and legend.ignore in values:
        return legend.ignore, f"{found.words([legend.ignore])} is read as unlabelled, as {legend.source} says"
    most = found.most if noun == "scribbles" else None
    if legend is not None and most is not None and most not in (UNLABELLED, *legend.names):
        word = found.words([most])
        note = f"{word} lies on most pixels and {legend.source} does not name it: it is read as unlabelled"
        return most, note
    if found.clear:
        return None, ""
    if found.colour:
        if most is not None and legend is None:
            raise _either(found, most)
        return None, ""
    negative = [v for v in values if v < 0]
    if len(negative) > 1:
        raise DataError(
            f"{noun} hold {found.words()}: say with --unlabelled which of the "
            "negative values means unlabelled, and correct the others"
        )
    if negative:
        return negative[0], f"{negative[0]} is read as unlabelled"
    if legend is None and most is not None and most not in (0, UNLABELLED):
        raise _either(found, most)
    if UNLABELLED not in values:
        if noun == "scribbles" and 0 in values and legend is None:
            raise _either(found, 0)
        return None, ""
    if legend is not None and UNLABELLED in legend.names:
        return None, ""
    if noun == "scribbles" and (
        found.most == UNLABELLED or (legend is not None and values == (0, UNLABELLED))
    ):
        return UNLABELLED, f"{UNLABELLED} is read as unlabelled"
    if classes is not None and _class_name(UNLABELLED, colour=False) in classes.names:
        return None, ""
    return _reading_of_255(found, many=classes is not None and len(classes) > 2)


def _either(found: Values, value: int) -> DataError:
    """Of scribbles in which a value may be a class or mean that nobody drew there."""
    word = found.words([value])
    where = " lies on most pixels and" if value == found.most else ""
    said = f"say --unlabelled {value} if it means unlabelled"
    if not found.colour:
        instead = (
            "name it in classes.json" if UNLABELLED in found.values else f"say --unlabelled {UNLABELLED}"
        )
        remedy = f"{said}, {instead} if it is a class"
    elif value == 0:
        remedy = f'{said}, or name the colours in classes.json, as in {{"background": "{word}"}}'
    else:
        remedy = f'name all colours in classes.json, with "unlabelled": "{word}" or "background": "{word}" for this one'
    return DataError(
        f"{found.noun} hold {found.words()}, and {word}{where} may mean background or unlabelled: {remedy}, "
        "or put the files into masks/ if they are full masks"
    )


def _background(found: Values, value: int) -> str:
    """That a value is taken for background for want of anything that says so."""
    what = "colours" if found.colour else "values"
    return (
        f"{'' if found.colour else 'value '}{found.words([value])} is taken for background: name the {what} in classes.json "
        "if it is another"
    )


def _reading_of_255(found: Values, *, many: bool) -> tuple[int | None, str]:
    """Beside small numbers, or where the classes are known to be `many`, 255 is no class."""
    others = [v for v in found.values if v != UNLABELLED]
    small = bool(others) and (max(others) < 32 or len(others) > max(others) / 4)
    if small and len(others) > 1 and found.apart and not many:
        raise DataError(
            f"some {found.noun} hold {found.words(others)} and others 255: save all of them "
            "in one way, or say --unlabelled 255 if it means unlabelled"
        )
    if many and others == [0] and found.noun == "masks":
        remedy = "name their values in classes.json, or say --unlabelled 255 if it means unlabelled"
        raise DataError(f"masks hold 0 and 255 and nothing else, where several classes are known: {remedy}")
    if many or (small and len(others) > 1 and UNLABELLED - 1 not in others):
        return UNLABELLED, f"{UNLABELLED} is read as unlabelled"
    if not others:
        raise DataError(
            f"every pixel of all {found.noun} is 255, which may mean foreground or unlabelled: label some "
            "background too"
        )
    if others == [0] and found.noun == "masks":
        return None, ""
    if found.noun == "scribbles" and found.most == 0:
        raise _either(found, 0)
    odd = [v for v in others if v]
    slip = f", or correct {found.words(odd)}{where} if that is a slip" if (where := found.where(odd)) else ""
    raise DataError(
        f"{found.noun} hold {found.words()}, and 255 may be a class or mean unlabelled: say --unlabelled 255 if it means "
        f'unlabelled, or name the values in classes.json, as in {{"background": 0, "cell": 255}}{slip}'
    )


def by_value(found: Values, *, chosen: bool) -> Meaning:
    """Classes that nobody named: the labelled values in rising order, the first of them the background.

    chosen: the user said which value means unlabelled, so that a set without 0 has classes from its lowest
    value. Values with gaps become classes named by their value (value_128, colour_ff0000), so that a trained
    model can be matched with new masks. Raises DataError for a single value, and where no value is evidently
    background.

    >>> by_value(Values((0, 64, 128)), chosen=False).classes.names
    ('background', 'value_64', 'value_128')
    """
    values, noun, colour = found.values, found.noun, found.colour
    if values == (0,):
        return Meaning({0: 0}, BINARY)
    if len(values) == 1:
        raise DataError(
            f"all labelled pixels of all {noun} hold {found.words()}: there must be a second value to learn from"
        )
    if values[0] != 0 and not chosen:
        first, second = (f'"{named(v, colour=True)}"' if colour else v for v in values[:2])
        raise DataError(
            f"{noun} hold {found.words()} and never {'black' if colour else 0}, "
            "so that it is not clear which is the background: "
            f'name them in classes.json, as in {{"background": {first}, "cell": {second}}}'
            + ("" if colour else ", or say --unlabelled 0 if 0 means unlabelled and the lowest is background")
        )
    if len(values) > 254:
        raise DataError(
            f"{noun} hold {len(values)} values, but there can be 254 classes: if they number objects, say "
            "--masks-are instances"
        )
    index = {value: i for i, value in enumerate(values)}
    if values[0] == 0 and len(values) == 2:
        return Meaning(index, BINARY, f"{noun} hold {found.words()}: read as background and foreground")
    otherwise = (
        "" if colour or noun == "scribbles" else " (if they number objects, say --masks-are instances)"
    )
    if values == tuple(range(len(values))):
        table = ClassTable.numbered(len(values))
        return Meaning(index, table, f"{noun} hold {found.words()}: read as class numbers{otherwise}")
    table = ClassTable(("background", *(_class_name(v, colour=colour) for v in values[1:])))
    guess = _background(found, values[0]) if values[0] != 0 else ""
    return Meaning(
        index, table, f"{noun} hold values read as {_pairs(found, index, table)}{otherwise}", guess
    )


def by_legend(found: Values, legend: Legend, *, classes: ClassTable | None) -> Meaning:
    """Classes as the user named them; mapped by name to those of a model, where there is one.

    Two names for 0 and 1 also fit masks of 0 and one other value. Raises DataError for a value without a
    name."""
    names = dict(legend.names)
    if 0 in found.values and 0 not in names and not legend.background:
        names = {0: "background", **names}
    unknown = [v for v in found.values if v not in names]
    if list(names) == [0, 1] and len(unknown) == 1 and 1 not in found.values:
        names = {0: names[0], unknown[0]: names[1]}
    elif unknown:
        raise DataError(
            f"{found.noun} hold {found.words(unknown)}{found.where(unknown)}, which {legend.source} does "
            "not name: add them there or correct the masks"
        )
    if classes is None:
        table = ClassTable(tuple(names.values()))
    else:
        table, names = classes, {v: name for v, name in names.items() if v in found.values}
    index = {v: table.index(name) for v, name in names.items()}
    first = next((v for v, i in index.items() if i == 0), 0)
    guess = ""
    if first != 0 and not legend.background and classes is None:
        guess = (
            f"{names[first]} ({found.words([first])}) is taken for background: name another value background in {legend.source} "
            "if it is an object"
        )
    return Meaning(
        index, table, f"classes are those of {legend.source}: {_pairs(found, index, table)}", guess
    )


def by_table(found: Values, classes: ClassTable, *, chosen: bool = False) -> Meaning:
    """Classes of a model: by the values in their names, by foreground where there are two, else by number.

    chosen: as for `by_value`. Raises DataError for a value that is none of them.

    >>> by_table(Values((0, 255)), ClassTable(("background", "nucleus"))).index
    {0: 0, 255: 1}
    """
    values = found.values
    index = {
        v: classes.index(name)
        for v in values
        if (name := _class_name(v, colour=found.colour)) in classes.names
    }
    if index and classes.names[0] == "background":
        index[0] = 0
    elif not index and len(classes) == 2 and len(values) <= 2 and (0 in values or values == (1,)):
        index = {0: 0, **{v: 1 for v in values if v != 0}}
    elif not index and not found.colour:
        index = {v: v for v in range(len(classes))}
    guess = ""
    others = [v for v in values if v not in index]
    if (chosen or found.noun == "scribbles") and 0 not in values and others:
        if classes.names[0] == "background" and others == [values[0]] and len(values) > 1:
            index[values[0]] = 0  # as where the model learnt from such scribbles
        elif not found.colour and found.noun == "scribbles":
            index = {v: v - 1 for v in range(1, len(classes) + 1)}  # 0 was unlabelled, and classes begin at 1
        guess = "".join(_background(found, v) for v in values if index.get(v) == 0)
    if any(v not in index for v in values):
        raise DataError(
            f"{found.noun} hold {found.words()}, but the classes are "
            f"{listed(classes.names)}: name the values in a classes.json in the data folder"
        )
    seen = {v: index[v] for v in values}
    return Meaning(index, classes, f"{found.noun} hold values read as {_pairs(found, seen, classes)}", guess)


def _class_name(value: int, *, colour: bool) -> str:
    return f"colour_{value:06x}" if colour else f"value_{value}"


def _pairs(found: Values, index: dict[int, int], classes: ClassTable) -> str:
    return listed(
        (f"{named(v, colour=found.colour)} = {classes.names[i]}" for v, i in index.items()), most=40
    )

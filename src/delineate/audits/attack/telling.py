"""What an attack found, in words, tables, curves and pictures: from looks at images to a section of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from delineate.audits.attack.ensemble import CLEAN
from delineate.audits.attack.measure import NOISE, Close, Look
from delineate.audits.attack.outcome import HEADER, pooled, row
from delineate.audits.attack.sanity import Check, checks
from delineate.audits.attack.settings import AttackSettings
from delineate.audits.attack.showing import (
    charts,
    close_table,
    pictures,
    size_table,
    steps_table,
    target_table,
)
from delineate.audits.evidence import Evidence
from delineate.audits.section import Remedy, Section, Table, with_gravest
from delineate.audits.subject import Subject
from delineate.data.intensities import Intensities
from delineate.data.problem import counted


def told(
    subject: Subject,
    evidence: Evidence,
    settings: AttackSettings,
    valid: Intensities,
    looks: Sequence[Look],
    closely: Sequence[Close],
    *,
    white: bool,
) -> Section:
    """white: whether the model was climbed by its gradients; else what was found is the least harm, which proves no strength."""
    clean, noise, worst = (
        pooled([look.outcomes[CLEAN] for look in looks]),
        pooled([look.outcomes[NOISE] for look in looks]),
        pooled([look.worst for look in looks]),
    )
    kept, kept_in_noise = _share(worst.dice, clean.dice), _share(noise.dice, clean.dice)
    size = _said(settings.eps, valid)
    how = "the strongest attack on each image"
    if not white:
        how = f"the strongest attack without its gradients ({counted(settings.queries, 'question')}" + (
            ")" if settings.surrogate is None else ", and what fools the surrogate)"
        )
    judged = evidence.thresholds.judged
    findings = [
        judged(
            "attack.kept",
            kept,
            f"With no pixel changed by more than {size}, {how} takes mean Dice from {clean.dice:.3f} to {worst.dice:.3f}"
            + ("" if math.isnan(kept) else f": {kept:.0%} is kept")
            + f"; objects missed go from {clean.missed} to {worst.missed} of {clean.objects}."
            + ("" if white else " An attack with gradients would do more harm, so this is the best case."),
        ),
        judged(
            "attack.noise",
            kept_in_noise,
            f"Random noise of that size, which needs no adversary, leaves Dice {noise.dice:.3f}"
            + ("." if math.isnan(kept_in_noise) else f" ({kept_in_noise:.0%})."),
        ),
    ]
    if (
        not white and findings[0].verdict == "pass"
    ):  # what did little harm proves nothing of those that were not tried
        findings[0] = replace(findings[0], verdict="open")
    found = _checked(looks, closely, settings, valid) if closely else ()
    if found:
        passed = sum(check.held for check in found) / len(found)
        failed = [check.name for check in found if not check.held]
        findings.append(
            judged(
                "attack.checks",
                passed,
                f"The attack passes all {len(found)} checks of its own strength."
                if not failed
                else f"The attack fails {len(failed)} of {len(found)} checks of its own strength ({'; '.join(failed)}): the "
                "model may be weaker than it looks.",
            )
        )
    names = [name for name in (CLEAN, NOISE, "FGSM") if name in looks[0].outcomes]
    names += [name for name in looks[0].outcomes if name not in names]
    rows = [row(name, [look.outcomes[name] for look in looks]) for name in names]
    tables = [
        Table(
            f"{counted(len(looks), 'image')}, each pixel changed by at most {size}",
            HEADER,
            (*rows, row("the worst of all, image by image", [look.worst for look in looks])),
        )
    ]
    if closely:
        tables.append(size_table(closely, settings))
        tables.append(steps_table(closely, settings))
        tables.append(close_table(closely, settings))
        tables.append(target_table(closely))
        tables.append(
            Table(
                "Is the attack to be trusted?",
                ("check", "held", "found"),
                tuple((check.name, "yes" if check.held else "no", check.found) for check in found),
            )
        )
    return Section(
        name="attack",
        title="Adversarial attack",
        question="How little must an image change for the mask to fall apart?",
        sentence=_answer(kept, size, white=white)
        if findings[0].verdict in ("warn", "fail")
        else with_gravest(_answer(kept, size, white=white), findings),
        findings=tuple(findings),
        tables=tuple(tables),
        charts=charts(closely, pooled([look.outcomes[CLEAN] for look in looks[: len(closely)]]), settings),
        pictures=pictures(looks, valid.of_255(settings.eps)),
        remedies=(
            Remedy(
                "Adversarial training: crops are changed to what the network finds hardest before it learns from them, by a "
                "little more than is to be withstood. Its price: a step takes longer, and on nuclei, taught with 5 and attacked "
                "with 4 grey levels, clean Dice went from 0.912 to 0.892, of which 0.83 to 0.87 was kept. Audit the "
                "new model again.",
                f"delineate train DATA -o ROBUST --adversarial {1.25 * settings.eps:g}",
            ),
        ),
        notes=_notes(subject, evidence, white),
        numbers=_numbers(settings, valid, looks, closely, found, kept, kept_in_noise),
    )


def _answer(kept: float, size: str, *, white: bool) -> str:
    """The answer to the question of the section."""
    if math.isnan(kept):
        return "On the clean images the masks do not overlap with the truth, so there is nothing that an attack could take."
    if not white and kept >= 0.8:
        return f"Attacks without gradients changed the mask little within {size}; that proves nothing, others would do more."
    if kept >= 0.95:
        return f"Under changes of at most {size} the mask hardly moves."
    if kept >= 0.8:
        return f"Under changes of at most {size} the mask keeps most of its overlap with the truth."
    how_much = "much" if kept > 0.3 else "nearly all"
    return f"Changes of at most {size} are enough: the mask loses {how_much} of its overlap with the truth."


def _checked(
    looks: Sequence[Look], closely: Sequence[Close], settings: AttackSettings, valid: Intensities
) -> tuple[Check, ...]:
    eps = valid.of_255(settings.eps)
    near = looks[: len(closely)]
    return checks(
        clean=pooled([look.outcomes[CLEAN] for look in near]).dice,
        noise=pooled([look.outcomes[NOISE] for look in looks]).dice,
        worst=pooled([look.worst for look in looks]).dice,
        by_steps={n: pooled([c.by_steps[n] for c in closely]).dice for n in settings.by_steps},
        by_eps={s * settings.eps: pooled([c.by_eps[s] for c in closely]).dice for s in settings.by_eps},
        white_close=pooled([look.worst for look in near]).dice,
        black_box=pooled([c.black_box for c in closely]).dice,
        unbounded=pooled([c.unbounded for c in closely]).dice,
        excess=max(look.changed for look in looks) / eps - 1,
        dead=float(np.mean([c.dead for c in closely])),
    )


def _notes(subject: Subject, evidence: Evidence, white: bool) -> tuple[str, ...]:
    notes = [
        "The adversary knows the network and changes every pixel on purpose. Cameras do not: see the audit of acquisition "
        "conditions for what happens by itself.",
        "Changed images are rounded to the type of the files and predicted like any other; the change is measured again.",
    ]
    if not any(case.labels is not None for case in evidence.cases):
        notes.append("No image has a mask: the model's own outlines of the clean images stand in for truth.")
    if not white:
        notes.append(
            f"{subject.name} gives no gradients. A trained folder or a torch module can be attacked in earnest; so can this "
            "model through a surrogate trained for the same task."
        )
    return tuple(notes)


def _numbers(
    settings: AttackSettings,
    valid: Intensities,
    looks: Sequence[Look],
    closely: Sequence[Close],
    found: Sequence[Check],
    kept: float,
    kept_in_noise: float,
) -> Mapping[str, Any]:
    return {
        "eps_of_255": settings.eps,
        "eps_intensities": valid.of_255(settings.eps),
        "range": [valid.low, valid.high],
        "steps": settings.steps,
        "kept": kept,
        "kept_in_noise": kept_in_noise,
        "images": {
            look.attacked.case.name: {
                "strongest": look.by,
                "largest_change": look.changed,
                "outcomes": {name: asdict(one) for name, one in look.outcomes.items()},
            }
            for look in looks
        },
        "by_steps": {
            str(n): asdict(pooled([c.by_steps[n] for c in closely])) for n in settings.by_steps if closely
        },
        "by_eps": {
            str(s * settings.eps): asdict(pooled([c.by_eps[s] for c in closely]))
            for s in settings.by_eps
            if closely
        },
        "checks": {check.name: check.held for check in found},
    }


def _said(eps: float, valid: Intensities) -> str:
    """The size in words a microscopist uses."""
    if valid == Intensities(0, 255, whole=True):
        return f"{eps:g} grey levels of 255"
    return f"{eps:g}/255 of the range ({valid.of_255(eps):.3g} of {valid.low:g} to {valid.high:g})"


def _share(now: float, clean: float) -> float:
    return now / clean if clean > 0 else math.nan

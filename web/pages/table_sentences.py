"""What the figures of a synthetic table say, in plain sentences, with "not better than the baseline" said as such."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aigc_models.judging import Judgement
from aigc_models.metrics.table_figures import TABLE_METRICS
from web.pages import amounts, plots
from web.translate import say

Tone = Literal["ok", "wait", "bad", ""]

# How much of what real rows teach counts as almost as much, and as somewhat less.
_ALMOST, _SOMEWHAT = 0.93, 0.75
_SLIPS = 0.01  # of the rows, in which a relation between columns may fail more often than in real ones
# Where more is better, in usefulness, in dependence and in telling apart.
_COMPARED = ("tstr_auc", "tstr_r2", "dependence_kept", "detection_score")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, and whether it is good news."""

    text: str
    tone: Tone = ""


def quality(found: Mapping[str, Any]) -> list[Sentence]:
    """A verdict, then sentences on usefulness, on telling apart, on dependence and on columns."""
    beside = found["baselines"]
    metrics = _flat(beside)
    return [
        *_verdict(metrics),
        *_useful(metrics, str(found["target"])),
        *_told_apart(metrics),
        *_dependence(metrics),
        *_columns(beside),
        *_relations(found.get("relations") or ()),
    ]


def verdict(metrics: Mapping[str, Any]) -> str:
    """The verdict alone, from the figures of a job that measured a table; empty for all others."""
    told = _verdict(metrics) if "detection_auc" in metrics or "dependence_kept" in metrics else []
    return told[0].text if told else ""


def _flat(beside: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Figures under the names that a job's have, with the copula's and the real rows' beside them."""
    flat = {}
    for name in (*_COMPARED, "detection_auc"):
        info = TABLE_METRICS[name]
        for side, key in (("synthetic", name), ("copula", info.baseline), ("real", info.real)):
            value = beside[side].get(name.replace("tstr_", "utility_"))
            if key and value is not None:
                flat[key] = value
        for side, key in (("copula", info.noise), ("real", f"{info.real}_noise")):
            value = beside[side].get(f"{name.replace('tstr_', 'utility_')}_noise")
            if key and value is not None:
                flat[key] = value
    return flat


def _judge(name: str, metrics: Mapping[str, Any]) -> Judgement:
    return TABLE_METRICS[name].judge(name, metrics)


def _verdict(metrics: Mapping[str, Any]) -> list[Sentence]:
    """Whether the model was worth its training, over all that a copula can be compared in and surpassed."""
    judged = {name: judgement for name in _COMPARED if (judgement := _judge(name, metrics))}
    better, unclear, others = (
        [name for name, one in judged.items() if one == wanted] for wanted in ("better", "unclear", "worse")
    )
    if not judged:
        return []
    if unclear and not others:
        return _unsure(better, unclear)
    if not better and not others:
        text = (
            "Verdict: as good as it can be. There is nothing to gain here over the baseline, a Gaussian copula, which "
            "takes seconds."
        )
        return [Sentence(say(text))]
    if not others:
        if len(better) == len(judged):
            told = say("Verdict: better than the baseline, a Gaussian copula, in all that is compared.")
        else:
            told = say("Verdict: better than the baseline, a Gaussian copula, wherever there is something to gain.")
        return [Sentence(told, "ok")]
    if better:
        text = (
            "Verdict: better than the baseline, a Gaussian copula, in {better}; not better in {others}. A longer "
            "training (the preset Balanced or Best) may help there."
        )
        return [Sentence(say(text, {"better": _titles(better), "others": _titles(others)}), "wait")]
    text = (
        "Verdict: this model is not better than the baseline, a Gaussian copula, which takes seconds. Do not use its "
        "rows; train longer first (the preset Balanced or Best), or on more rows."
    )
    return [Sentence(say(text), "bad")]


def _unsure(better: Iterable[str], unclear: Iterable[str]) -> list[Sentence]:
    values = {"better": _titles(better), "unclear": _titles(unclear)}
    if not better:
        text = (
            "Verdict: no difference from the baseline, a Gaussian copula, that these test rows could show in "
            "{unclear}. More could tell."
        )
        return [Sentence(say(text, values))]
    text = (
        "Verdict: better than the baseline, a Gaussian copula, in {better}; no difference that these test rows could "
        "show in {unclear}."
    )
    return [Sentence(say(text, values), "ok")]


def _titles(names: Iterable[str]) -> str:
    return say(", ").join(say(TABLE_METRICS[name].title) for name in names)


def _useful(metrics: Mapping[str, float], target: str) -> list[Sentence]:
    name, unit, chance = ("tstr_auc", "AUC", 0.5) if "tstr_auc" in metrics else ("tstr_r2", "R²", 0.0)
    info = TABLE_METRICS[name]
    made, real = metrics.get(name), metrics.get(info.real or "")
    if made is None or real is None:
        return []
    values = {"made": amounts.figure(made), "real": amounts.figure(real), "unit": unit, "target": target}
    if info.gate and real < info.gate[1]:
        text = (
            "{target} cannot be predicted from these columns: even a model that learnt from real rows only "
            "reaches {unit} {real} on held-out real rows, where {chance} is a guess. So nothing can be gained here."
        )
        return [Sentence(say(text, {**values, "chance": amounts.figure(chance)}))]
    kept, noise = (made - chance) / (real - chance), metrics.get(f"{info.real}_noise")
    if noise is not None and abs(made - real) <= noise:
        text = (
            "Whether a model learns to predict {target} from these rows or from the real ones makes no difference that "
            "these test rows could show: {unit} {made} against {real}, both on held-out real rows, where differences "
            "up to {noise} may be chance."
        )
        told = Sentence(say(text, {**values, "noise": amounts.figure(noise)}), "ok" if kept >= _ALMOST else "")
    else:
        told = _taught(kept, values)
    return [told, *_beside_copula(name, unit, metrics)]


def _taught(kept: float, values: Mapping[str, str]) -> Sentence:
    """How much of what real rows teach is learnt from these."""
    tone: Tone = "bad"
    text = (
        "A model that learnt to predict {target} from these rows does much worse than one that learnt from the real "
        "ones: {unit} {made} against {real}, both on held-out real rows."
    )
    if kept >= 1:
        tone = "ok"
        text = (
            "A model that learnt to predict {target} from these rows does at least as well as one that learnt from the "
            "real ones: {unit} {made} against {real}, both on held-out real rows."
        )
    elif kept >= _ALMOST:
        tone = "ok"
        text = (
            "A model that learnt to predict {target} from these rows does almost as well as one that learnt from the "
            "real ones: {unit} {made} against {real}, both on held-out real rows."
        )
    elif kept >= _SOMEWHAT:
        tone = "wait"
        text = (
            "A model that learnt to predict {target} from these rows does somewhat worse than one that learnt from "
            "the real ones: {unit} {made} against {real}, both on held-out real rows."
        )
    return Sentence(say(text, values), tone)


def _beside_copula(name: str, unit: str, metrics: Mapping[str, float]) -> list[Sentence]:
    judged = _judge(name, metrics)
    values = {"unit": unit, "copula": amounts.figure(metrics.get(TABLE_METRICS[name].baseline or ""))}
    if judged == "worse":
        text = "That is not better than the baseline: rows of a Gaussian copula reach {unit} {copula}."
        return [Sentence(say(text, values), "bad")]
    if judged == "unclear":
        text = (
            "The baseline, rows of a Gaussian copula, reaches {unit} {copula}, where differences up to {noise} may be "
            "chance: these test rows show no difference."
        )
        noise = amounts.figure(metrics.get(TABLE_METRICS[name].noise or ""))
        return [Sentence(say(text, {**values, "noise": noise}))]
    text = "The baseline, rows of a Gaussian copula, reaches {unit} {copula}."
    return [Sentence(say(text, values), "ok" if judged == "better" else "")] if judged else []


def _told_apart(metrics: Mapping[str, float]) -> list[Sentence]:
    auc, copula = metrics.get("detection_auc"), metrics.get("detection_auc_baseline")
    if auc is None:
        return []
    values = {"auc": amounts.figure(auc), "copula": amounts.figure(copula)}
    if auc >= 0.9:
        text = "A classifier nearly always tells these rows from real ones (AUC {auc}; 0.5 would be a guess)."
    elif auc >= 0.7:
        text = "A classifier often tells these rows from real ones (AUC {auc}; 0.5 would be a guess)."
    elif auc >= 0.55:
        text = "A classifier sometimes tells these rows from real ones (AUC {auc}; 0.5 would be a guess)."
    else:
        text = "A classifier hardly tells these rows from real ones (AUC {auc}; 0.5 would be a guess)."
    told = [Sentence(say(text, values), "bad" if auc >= 0.9 else "wait" if auc >= 0.7 else "ok")]
    if _judge("detection_auc", metrics) == "worse":
        worse = "That is not better than the baseline: rows of a Gaussian copula are told apart with AUC {copula}."
        told.append(Sentence(say(worse, values), "bad"))
    return told


def _dependence(metrics: Mapping[str, float]) -> list[Sentence]:
    kept, copula = metrics.get("dependence_kept"), metrics.get("dependence_kept_baseline")
    if kept is None or copula is None:
        return []
    values = {"kept": plots.percent(kept), "copula": plots.percent(copula)}
    judged, gate = _judge("dependence_kept", metrics), TABLE_METRICS["dependence_kept"].gate
    if gate and metrics.get(gate[0], 1.0) < gate[1]:
        return [Sentence(say("The columns hardly depend on each other, so there is no dependence to keep."))]
    if judged == "worse":
        text = "They keep {kept} of the dependence between columns, not more than a Gaussian copula ({copula})."
        return [Sentence(say(text, values), "bad")]
    text = "They keep {kept} of the dependence between columns; a Gaussian copula keeps {copula}."
    return [Sentence(say(text, values), "ok" if kept >= 0.5 else "wait")]


def _columns(beside: Mapping[str, Mapping[str, float]]) -> list[Sentence]:
    made, real = (beside[side].get("column_fidelity") for side in ("synthetic", "real"))
    if made is None or real is None:
        return []
    values = {"made": plots.percent(made), "real": plots.percent(real)}
    text = "Each column by itself is {made} like the real one on average; training rows are {real} like held-out ones."
    return [Sentence(say(text, values), "ok" if made >= real - 0.1 else "wait")]


def _relations(found: Iterable[Mapping[str, Any]]) -> list[Sentence]:
    """What ties columns together in the real rows, and whether the synthetic ones keep it."""
    told = []
    for one in found:
        values = {"rule": one["rule"], "real": plots.percent(one["real"]), "made": plots.percent(one["synthetic"])}
        if one["synthetic"] >= one["real"] - _SLIPS:
            told.append(
                Sentence(
                    say("{rule} holds in {real} of the real rows and in {made} of the synthetic ones.", values), "ok"
                )
            )
            continue
        text = (
            "{rule} holds in {real} of the real rows and in {made} of the synthetic ones: no model is exact in this. "
            "Give it as a constraint when you generate."
        )
        told.append(Sentence(say(text, values), "wait"))
    return told


def privacy(found: Mapping[str, Any] | None, rows: int) -> list[Sentence]:
    """Sentences on closeness to training rows and on copies, and what they do not mean."""
    if found is None:
        return []
    shares = {
        "share": plots.percent(found["closer_to_train"]),
        "expected": plots.percent(found["expected"]),
        "low": plots.percent(found["interval"][0]),
        "high": plots.percent(found["interval"][1]),
    }
    if found["memorises"]:
        text = (
            "More of these rows lie close to a training row than chance explains: for {share} ({low} to {high}) the "
            "closest real row is a training row, where {expected} would be expected. The model may repeat its data."
        )
        closeness = Sentence(say(text, shares), "bad")
    else:
        text = (
            "There is no sign that training rows are repeated: for {share} ({low} to {high}) of these rows the "
            "closest real row is a training row, and {expected} would be expected by chance."
        )
        closeness = Sentence(say(text, shares), "ok")
    limits = (
        "These figures show memorising where it happens. They are no proof that nobody can be recognised, and they "
        "promise nothing about single people."
    )
    return [closeness, _copied(found["copies"], rows), _distant(found), Sentence(say(limits))]


def _copied(copies: Mapping[str, float], rows: int) -> Sentence:
    values = {
        "count": amounts.number(int(copies["synthetic"])),
        "rows": amounts.number(rows),
        "expected": amounts.figure(round(copies["expected"], 1)),
        "beyond": amounts.number(int(copies["beyond"])),
    }
    if not copies["synthetic"]:
        return Sentence(say("None of the {rows} rows equals a training row.", values), "ok")
    if copies["beyond"]:
        text = (
            "{count} of the {rows} rows equal a training row; of as many real rows {expected} would. {beyond} are more "
            "than chance explains."
        )
        return Sentence(say(text, values), "bad")
    text = "{count} of the {rows} rows equal a training row; of as many real rows {expected} would."
    return Sentence(say(text, values), "ok")


def _distant(found: Mapping[str, Any]) -> Sentence:
    values = {
        "made": amounts.figure(found["distances"]["synthetic"][1]),
        "real": amounts.figure(found["distances"]["held_out"][1]),
        "ratio": amounts.figure(found["ratios"]["synthetic"]),
        "real_ratio": amounts.figure(found["ratios"]["held_out"]),
    }
    text = (
        "The median distance to the closest training row is {made}, of held-out rows {real} (from 0 to 1); its ratio "
        "to the second closest is {ratio}, of held-out rows {real_ratio}."
    )
    return Sentence(say(text, values))

"""A plain scorer that is right, and one scorer for each way of being wrong that the suite says it recognises.

Written pose by pose from the definitions; nothing of posebench is used, so that what the suite must recognise comes
from another hand than what it compares with. `FAULTS` lists (what the suite must say, in which cases, scorer).
"""

from __future__ import annotations

import numpy as np

FAULTS: list[tuple[str, tuple[str, ...], object]] = []
THRESHOLDS = tuple(range(0, 151, 5))


def fault(name: str, *cases: str):
    """Enter the class below as a scorer that must be found out by that name in those cases."""

    def enter(kind):
        FAULTS.append((name, cases, kind()))
        return kind

    return enter


class Plain:
    """The definitions; each step can be replaced by a wrong one."""

    thresholds = THRESHOLDS

    def __call__(
        self, pred, gt, *, metric, unit="mm", valid=None, root=0, joints=None, by=None, sequence=None, fps=None,
        centres=None,
    ):  # fmt: skip
        pred, gt = (self.cast(side) * self.factor(unit) for side in (pred, gt))
        known = np.ones(gt.shape[:2], bool) if valid is None else np.array(valid)
        self.check(pred, gt, known)
        if centres is not None:
            return self.structure(pred, gt, centres)
        if metric.startswith(("MPJVE", "MPJAE")):
            labels = np.zeros(len(gt)) if sequence is None else np.asarray(sequence)
            rate = 1.0 if "per=frame" in metric or fps is None else fps
            order = 1 if metric.startswith("MPJVE") else 2
            return self.motion(pred, gt, root, labels, order) * self.time(rate, order)
        chosen = list(range(gt.shape[1])) if joints is None else list(joints)
        kind = metric.partition("@")[0].partition("(")[0]
        if by is None:
            return self.batch(kind, pred, gt, known, root, chosen)
        return self.groups(kind, pred, gt, known, root, chosen, np.asarray(by))

    # ----------------------------------------------------------------------------------------------------- the input

    def cast(self, side):
        return np.array(side, float)

    def factor(self, unit):
        return {"mm": 1.0, "m": 1000.0}[unit]

    def check(self, pred, gt, known):
        if pred.shape != gt.shape:
            raise ValueError("shapes differ")
        if not np.isfinite(pred[known]).all():
            raise ValueError("a prediction is not finite")

    # ------------------------------------------------------------------------------------------------------ the poses

    def groups(self, kind, pred, gt, known, root, joints, labels):
        return {
            str(label): self.batch(
                kind, pred[labels == label], gt[labels == label], known[labels == label], root, joints
            )
            for label in np.unique(labels)
        }

    def batch(self, kind, pred, gt, known, root, joints):
        poses = zip(pred, gt, known, strict=True)
        rows = [self.row(kind, p, g, k, root, joints) for p, g, k in poses if self.scorable(kind, g, k, root)]
        return self.reduce(kind, rows)

    def scorable(self, kind, g, known, root):
        centred = kind not in ("PMPJPE", "CPS")
        return known.any() and (known[root] or not centred) and np.ptp(g[known], axis=0).any()

    def row(self, kind, p, g, known, root, joints):
        """The errors of one pose, NaN where they do not count."""
        errors = np.full(len(joints), np.nan)
        used = known[joints]
        if kind in ("PMPJPE", "CPS"):
            moved, target = self.align(p[joints], g[joints], used)
        else:
            moved, target = self.centred(p, g, root)
            if kind in ("NMPJPE", "NPCK"):
                moved = self.scale(moved[joints][used], target[joints][used]) * moved
            moved, target = moved[joints], target[joints]
        errors[used] = self.distance((moved - target)[used])
        return errors

    def centred(self, p, g, root):
        return p - p[root], g - g[root]

    def distance(self, vectors):
        return np.linalg.norm(vectors, axis=-1)

    def scale(self, p, g):
        return (p * g).sum() / (p * p).sum() if p.any() else 0.0

    def align(self, p, g, used):
        p_mean, g_mean = p[used].mean(0), g[used].mean(0)
        a, b = p[used] - p_mean, g[used] - g_mean
        rotation, trace = self.turn(a.T @ b)
        return self.size(a, b, trace) * (p - p_mean) @ rotation.T, g - g_mean

    def size(self, a, b, trace):
        return trace / (a * a).sum() if a.any() else 0.0

    def turn(self, h):
        u, sigma, vt = np.linalg.svd(h)
        d = np.sign(np.linalg.det(u @ vt))
        return vt.T @ np.diag([1, 1, d]) @ u.T, sigma[0] + sigma[1] + d * sigma[2]

    # ----------------------------------------------------------------------------------------------------- the number

    def reduce(self, kind, rows):
        return float(np.mean([self.value(kind, row) for row in rows]))

    def value(self, kind, row):
        held = row[~np.isnan(row)]
        if kind in ("PCK", "NPCK"):
            return 100 * self.below(held, 150).mean()
        if kind == "AUC":
            return 100 * np.mean([self.below(held, t).mean() for t in self.thresholds])
        if kind == "CPS":
            return max(0.0, 300.0 - self.joint(held))
        return held.mean()

    def below(self, errors, threshold):
        return errors < threshold

    def joint(self, errors):
        return errors.max()

    # -------------------------------------------------------------------------------------------------- the other two

    def motion(self, pred, gt, root, labels, order):
        errors = np.stack([a - b for a, b in (self.centred(p, g, root) for p, g in zip(pred, gt, strict=True))])
        parts = [np.diff(errors[labels == label], order, axis=0) for label in np.unique(labels)]
        return float(np.concatenate([np.linalg.norm(part, axis=-1) for part in parts]).mean())

    def time(self, rate, order):
        return rate**order

    def structure(self, pred, gt, centres):
        hits = 0
        for p, g in zip(pred, gt, strict=True):
            p, g = self.centred(p, g, 0)
            hits += bool(p.any()) and self.nearest(self.unit(p), centres) == self.nearest(self.unit_truth(g), centres)
        return 100 * hits / len(gt)

    def unit(self, p):
        return p / np.linalg.norm(p)

    def unit_truth(self, g):
        return g / np.linalg.norm(g)

    def nearest(self, p, centres):
        return min(range(len(centres)), key=lambda k: ((p - centres[k]) ** 2).sum())


#: Cases by what they are asked of.
_NAN = ("C-NAN-MPJPE", "C-NAN-PCK", "C-NAN-AUC")
_POINTS = ("C-POINT-NMPJPE", "C-PA-POINT")


# ------------------------------------------------------------------------------------------------------- centring, mean


@fault(
    "not centred on the root",
    "C-MPJPE", "C-ROOT-INDEX", "C-MOTION-BOUNDARY", "C-MOTION-ACCEL", "C-PSS",
)  # fmt: skip
class NotCentred(Plain):
    def centred(self, p, g, root):
        return p, g


@fault("only the ground truth centred on its root", "C-MPJPE")
class TruthCentred(Plain):
    def centred(self, p, g, root):
        return p, g - g[root]


@fault("centred on the mean of the joints", "C-MPJPE", "C-PSS")
class MeanCentred(Plain):
    def centred(self, p, g, root):
        return p - p.mean(0), g - g.mean(0)


@fault("root left out of the mean", "C-MPJPE", "C-PMPJPE")
@fault("root left out of PCK", "C-PCK-STRICT")
@fault("root left out of AUC", "C-AUC")
class WithoutRoot(Plain):
    def value(self, kind, row):
        return super().value(kind, row[1:])


@fault("<= in place of <, root left out", "C-PCK-STRICT")
class InclusiveWithoutRoot(WithoutRoot):
    def below(self, errors, threshold):
        return errors <= threshold


@fault("root mean square in place of the mean", "C-MPJPE")
class RootMeanSquare(Plain):
    def reduce(self, kind, rows):
        return float(np.sqrt(np.mean(np.square(rows))))


@fault("mean over the axes in place of distances", "C-MPJPE")
class OverAxes(Plain):
    def distance(self, vectors):
        return np.abs(vectors).mean(-1)


@fault("summed over the axes in place of distances", "C-MPJPE")
class SummedAxes(Plain):
    def distance(self, vectors):
        return np.abs(vectors).sum(-1)


@fault("centred on joint 0 whatever the root", "C-ROOT-INDEX")
class JointZero(Plain):
    def centred(self, p, g, root):
        return p - p[0], g - g[0]


@fault("metres scored as millimetres", "C-UNIT", "C-PCK-UNIT")
class NoUnit(Plain):
    def factor(self, unit):
        return 1.0


@fault("coordinates rounded to float32", "C-FLOAT32", "C-PA-FAR")
class Rounded(Plain):
    def cast(self, side):
        return np.array(side, np.float32).astype(float)


@fault("coordinates rounded to float32", "C-FLOAT32")
class Narrow(Plain):
    def cast(self, side):
        return np.array(side, np.float32)

    def factor(self, unit):
        return np.float32(1)


@fault("float32 accumulation", "C-ACCUMULATE")
class RunningSum(Plain):
    def reduce(self, kind, rows):
        total = np.float32(0)
        for row in rows:
            total += np.float32(row.mean())
        return total / len(rows)


# --------------------------------------------------------------------------------------------------------------- scale


@fault("scale is the ratio of norms", "C-NMPJPE", "C-SCALE-SIGN", "C-NPCK", "C-PMPJPE")
class NormRatio(Plain):
    def scale(self, p, g):
        return np.linalg.norm(g) / np.linalg.norm(p)

    def size(self, a, b, trace):
        return np.linalg.norm(b) / np.linalg.norm(a)


@fault("scale of the optimal similarity", "C-NMPJPE")
class ProcrustesScale(Plain):
    def scale(self, p, g):
        a, b = p - p.mean(0), g - g.mean(0)
        return self.turn(a.T @ b)[1] / (a * a).sum()


@fault("scaled about the mean of the joints", "C-NMPJPE")
class ScaledAboutMean(MeanCentred):
    pass


@fault("scale fitted to absolute coordinates", "C-NMPJPE")
class ScaledAbsolute(NotCentred):
    pass


@fault("scale fitted to absolute coordinates", "C-NMPJPE")
class ScaledAtTruth(Plain):
    def centred(self, p, g, root):
        return p - p[root] + g[root], g


@fault("not scaled", "C-NMPJPE", "C-NPCK")
class NotScaled(Plain):
    def scale(self, p, g):
        return 1.0


@fault("one scale for the whole batch", "C-NMPJPE", "C-NPCK")
class BatchScale(Plain):
    def batch(self, kind, pred, gt, known, root, joints):
        p, g = pred - pred[:, :1], gt - gt[:, :1]
        together = (p * g).sum() / (p * p).sum()
        self.scale = lambda p, g: together
        return super().batch(kind, pred, gt, known, root, joints)


@fault("scale fitted the wrong way round", "C-NMPJPE")
class WrongWay(Plain):
    def scale(self, p, g):
        return (p * g).sum() / (g * g).sum()


@fault("prediction and ground truth exchanged", "C-NMPJPE", "C-PMPJPE")
class Exchanged(Plain):
    def __call__(self, pred, gt, **options):
        return super().__call__(gt, pred, **options)


@fault("scale fitted with absolute value", "C-SCALE-SIGN")
class AbsoluteScale(Plain):
    def scale(self, p, g):
        return abs(super().scale(p, g))


@fault("scale clipped at zero", "C-SCALE-SIGN")
class ClippedScale(Plain):
    def scale(self, p, g):
        return max(0.0, super().scale(p, g))


@fault("a negative scale raises", "C-SCALE-SIGN")
class RefusesSign(Plain):
    def scale(self, p, g):
        assert super().scale(p, g) > 0
        return super().scale(p, g)


@fault("a negative scale gives NaN", "C-SCALE-SIGN")
class LogOfScale(Plain):
    def scale(self, p, g):
        return np.exp(np.log(super().scale(p, g)))


@fault("an epsilon outweighs a small prediction", "C-SCALE-TINY")
class Epsilon(Plain):
    def scale(self, p, g):
        return (p * g).sum() / ((p * p).sum() + 1e-8)


@fault("a small prediction raises", "C-SCALE-TINY")
class RefusesSmall(Plain):
    def scale(self, p, g):
        if (p * p).sum() < 1e-6:
            raise ValueError("too small")
        return super().scale(p, g)


@fault("a small prediction gives NaN", "C-SCALE-TINY")
class SmallIsNaN(Plain):
    def scale(self, p, g):
        return super().scale(p, g) if (p * p).sum() > 1e-6 else np.nan


# -------------------------------------------------------------------------------------------------- degenerate poses


@fault("degenerate prediction counted as perfect", *_POINTS)
class PointIsPerfect(Plain):
    def row(self, kind, p, g, known, root, joints):
        found = super().row(kind, p, g, known, root, joints)
        return found if np.ptp(p, axis=0).any() else np.zeros_like(found)


@fault("degenerate prediction left out", *_POINTS)
class PointLeftOut(Plain):
    def batch(self, kind, pred, gt, known, root, joints):
        kept = np.ptp(pred, axis=1).any(-1)
        return super().batch(kind, pred[kept], gt[kept], known[kept], root, joints)


@fault("a degenerate prediction raises", *_POINTS, "C-PSS-POINT")
class RefusesPoint(Plain):
    def check(self, pred, gt, known):
        if not np.ptp(pred, axis=1).any(-1).all():
            raise ZeroDivisionError


@fault("a degenerate prediction spoils the mean of all poses", *_POINTS)
class Unguarded(Plain):
    def scale(self, p, g):
        return np.float64((p * g).sum()) / (p * p).sum()

    def size(self, a, b, trace):
        return np.float64(trace) / (a * a).sum()


@fault("a degenerate prediction spoils the mean of all poses", "C-PSS-POINT")
class StructureIsNaN(Plain):
    def structure(self, pred, gt, centres):
        return super().structure(pred, gt, centres) if pred.any((1, 2)).all() else np.nan


@fault("degenerate prediction has the centre nearest to the origin", "C-PSS-POINT")
class PointHasACentre(Plain):
    def structure(self, pred, gt, centres):
        pairs = zip(pred, gt, strict=True)
        found = [
            self.nearest(p / max(np.linalg.norm(p), 1e-9), centres) == self.nearest(self.unit(g), centres)
            for p, g in (self.centred(p, g, 0) for p, g in pairs)
        ]
        return 100 * np.mean(found)


@fault("placeholder ground truth counted", "C-POINT-TRUTH")
class CountsPlaceholders(Plain):
    def scorable(self, kind, g, known, root):
        return True


@fault("placeholder ground truth counts as perfect", "C-POINT-TRUTH")
class PlaceholdersArePerfect(CountsPlaceholders):
    def row(self, kind, p, g, known, root, joints):
        return super().row(kind, p, g, known, root, joints) if np.ptp(g, axis=0).any() else np.zeros(len(joints))


# -------------------------------------------------------------------------------------------------------------- batches


@fault("batch size taken for the coordinate axis", "C-BATCH-2", "C-BATCH-3")
class ByFirstAxis(Plain):
    def distance(self, vectors):
        return np.linalg.norm(vectors, axis=0)

    def batch(self, kind, pred, gt, known, root, joints):
        if len(gt) not in (2, 3):
            return super().batch(kind, pred, gt, known, root, joints)
        return float(self.distance((pred - pred[:, :1]) - (gt - gt[:, :1])).mean())


@fault("batch size taken for the coordinate axis", "C-BATCH-3-PMPJPE")
class ByFirstAxisAligned(Plain):
    def batch(self, kind, pred, gt, known, root, joints):
        # (3, J, 3) read as (xyz, J, poses).
        if len(gt) == 3:
            pred, gt = (np.stack([side[:, :, n].T for n in range(3)]) for side in (pred, gt))
        return super().batch(kind, pred, gt, known, root, joints)


@fault("one similarity for the whole batch", "C-BATCH-3-PMPJPE", "C-PMPJPE")
class BatchSimilarity(Plain):
    def batch(self, kind, pred, gt, known, root, joints):
        joints = list(range(pred[..., 0].size))
        return super().batch(kind, pred.reshape(1, -1, 3), gt.reshape(1, -1, 3), known.reshape(1, -1), root, joints)


@fault("each action aligned by one similarity", "C-BY-ACTION")
class ActionSimilarity(BatchSimilarity):
    pass


@fault("a single pose raises", "C-BATCH-1")
class Squeezed(Plain):
    def check(self, pred, gt, known):
        np.moveaxis(pred.squeeze(), 2, 0)


@fault("a single pose gives NaN", "C-BATCH-1")
class SampleDeviation(Plain):
    def reduce(self, kind, rows):
        return super().reduce(kind, rows) * (len(rows) - 1) / np.float64(len(rows) - 1)


@fault("last incomplete batch dropped", "C-LAST-BATCH")
class DropLast(Plain):
    def reduce(self, kind, rows):
        return super().reduce(kind, rows[: len(rows) // 64 * 64])


@fault("mean of the means of batches", "C-LAST-BATCH")
class MeanOfMeans(Plain):
    def reduce(self, kind, rows):
        return float(np.mean([np.mean(rows[at : at + 100]) for at in range(0, len(rows), 100)]))


@fault("every action gets the mean of its batch", "C-BY-ACTION")
class BatchMeans(Plain):
    def groups(self, kind, pred, gt, known, root, joints, labels):
        everything = self.batch(kind, pred, gt, known, root, joints)
        return {str(label): everything for label in np.unique(labels)}


@fault("missing frames dropped silently", "C-FEWER", "C-BROADCAST")
class Zipped(Plain):
    def check(self, pred, gt, known):
        pass

    def batch(self, kind, pred, gt, known, root, joints):
        n = min(len(pred), len(gt))
        return super().batch(kind, pred[:n], gt[:n], known[:n], root, joints)


@fault("one prediction repeated for all poses", "C-BROADCAST")
class Repeated(Plain):
    def check(self, pred, gt, known):
        pass

    def batch(self, kind, pred, gt, known, root, joints):
        return super().batch(kind, np.broadcast_to(pred, gt.shape), gt, known, root, joints)


# ---------------------------------------------------------------------------------------------------------------- masks


@fault("masked joints counted", "C-MASK-MPJPE", "C-MASK-PMPJPE", "C-MASK-NMPJPE", "C-MASK-FRAME")
class Maskless(Plain):
    def batch(self, kind, pred, gt, known, root, joints):
        return super().batch(kind, pred, gt, np.ones_like(known), root, joints)


@fault("centred on a masked root", "C-MASK-ROOT")
class RootUnseen(Plain):
    def scorable(self, kind, g, known, root):
        return known.any()


class AfterMask(Plain):
    """Everything sees all joints; the mask comes last."""

    def row(self, kind, p, g, known, root, joints):
        found = super().row(kind, p, g, np.ones_like(known), root, joints)
        return np.where(known[joints], found, np.nan)


@fault("alignment uses masked joints", "C-MASK-PMPJPE")
class BentAlignment(AfterMask):
    pass


@fault("scale uses masked joints", "C-MASK-NMPJPE")
class BentScale(AfterMask):
    pass


@fault("masked joints counted as right", "C-MASK-MPJPE", "C-MASK-PCK")
class MaskedRight(Plain):
    def row(self, kind, p, g, known, root, joints):
        return np.nan_to_num(super().row(kind, p, g, known, root, joints))


@fault("masked joints counted as wrong", "C-MASK-PCK")
class MaskedWrong(Plain):
    def row(self, kind, p, g, known, root, joints):
        return np.nan_to_num(super().row(kind, p, g, known, root, joints), nan=np.inf)


@fault(
    "pooled over joints, not over frames",
    "C-MASK-MPJPE", "C-MASK-PMPJPE", "C-MASK-NMPJPE", "C-MASK-PCK", "C-MASK-NAN",
)  # fmt: skip
class Pooled(Plain):
    def reduce(self, kind, rows):
        return self.value(kind, np.concatenate(rows))


@fault("masked NaN taken for zero", "C-MASK-NAN")
class NaNIsZero(Maskless):
    def cast(self, side):
        return np.nan_to_num(side)


@fault("frames with masked joints dropped silently", "C-MASK-NAN")
class DropsMasked(Plain):
    def scorable(self, kind, g, known, root):
        return known.all()


@fault("NaN in a masked joint raises", "C-MASK-NAN")
class StrictInput(Plain):
    def check(self, pred, gt, known):
        assert np.isfinite(gt).all()


@fault("NaN in a masked joint reaches the mean", "C-MASK-NAN")
class TimesMask(Plain):
    def batch(self, kind, pred, gt, known, root, joints):
        return float(((np.linalg.norm(pred - gt, axis=-1) * known).sum(1) / known.sum(1)).mean())


@fault("a pose that is masked counts as perfect", "C-MASK-FRAME")
class EmptyIsPerfect(Plain):
    def batch(self, kind, pred, gt, known, root, joints):
        errors = np.linalg.norm((pred - pred[:, :1]) - (gt - gt[:, :1]), axis=-1)
        return float(((errors * known).sum(1) / np.maximum(known.sum(1), 1)).mean())


@fault("a pose without valid joints raises", "C-MASK-FRAME")
class RefusesEmpty(Plain):
    def check(self, pred, gt, known):
        assert known.any(1).all()


@fault("a pose without valid joints spoils the mean", "C-MASK-FRAME")
class EmptyIsNaN(Plain):
    def scorable(self, kind, g, known, root):
        return True


# --------------------------------------------------------------------------------------------------------- missing ones


class Unchecked(Plain):
    """Takes predictions that are not finite, at joints or whole poses."""

    def check(self, pred, gt, known):
        if pred.shape != gt.shape:
            raise ValueError("shapes differ")


@fault("missing joints dropped silently", *_NAN)
class NaNMean(Unchecked):
    """Errors that are NaN are left out by `value`."""


@fault("missing joints dropped silently", "C-NAN-NMPJPE")
class NaNScale(Unchecked):
    def scale(self, p, g):
        there = np.isfinite(p).all(-1)
        return super().scale(p[there], g[there])


@fault("frames with missing joints dropped silently", *_NAN, "C-NAN-NMPJPE", "C-INF-PCK")
@fault("frames with missing predictions dropped silently", "C-NAN-PMPJPE")
class DropsFrames(Unchecked):
    def batch(self, kind, pred, gt, known, root, joints):
        kept = np.isfinite(pred).all((1, 2))
        return super().batch(kind, pred[kept], gt[kept], known[kept], root, joints)


@fault("NaN replaced by zero", "C-NAN-MPJPE", "C-NAN-NMPJPE", "C-NAN-PMPJPE")
class PredictedNaNIsZero(Plain):
    def cast(self, side):
        return np.nan_to_num(side)


@fault("NaN counted as correct", *_NAN, "C-INF-PCK")
class NaNIsRight(Unchecked):
    """An error of NaN counts as no error at all, which is below 0 as well by `not error >= 0`."""

    def value(self, kind, row):
        if kind == "PCK":
            return 100 * (~(row >= 150)).mean()
        if kind == "AUC":
            return 100 * np.mean([(~(row >= t)).mean() for t in self.thresholds])
        return np.nan_to_num(row).mean()


@fault("NaN counted as correct", "C-INF-PCK")
class PoseNaNIsRight(NaNIsRight):
    def centred(self, p, g, root):
        return (p - p[root] if np.isfinite(p[root]).all() else np.full_like(p, np.nan)), g - g[root]


@fault("failed alignment counted as perfect", "C-NAN-PMPJPE")
class SwallowsFailure(Unchecked):
    def align(self, p, g, used):
        return super().align(p, g, used) if np.isfinite(p).all() else (g, g)


# ------------------------------------------------------------------------------------------------------------ alignment


@fault(
    "no scale in the alignment",
    "C-PA-EXACT", "C-PMPJPE", "C-PA-MIRROR", "C-PA-PLANAR", "C-PA-COLLINEAR",
)  # fmt: skip
class Rigid(Plain):
    def size(self, a, b, trace):
        return 1.0


class Rerooted(Plain):
    def align(self, p, g, used):
        p, g = super().align(p, g, used)
        return p - p[0], g - g[0]


@fault("re-rooted after the alignment", "C-PMPJPE")
class SimilarityRerooted(Rerooted):
    pass


@fault("no scale in the alignment, re-rooted after it", "C-PMPJPE")
class RigidRerooted(Rerooted, Rigid):
    pass


@fault("not aligned", "C-PMPJPE")
@fault("no rotation in the alignment", "C-PA-EXACT")
@fault("collinear pose not aligned at all", "C-PA-COLLINEAR")
class NotAligned(Plain):
    def align(self, p, g, used):
        return p - p[0], g - g[0]


@fault("rotation transposed", "C-PA-EXACT", "C-PMPJPE")
class Transposed(Plain):
    def turn(self, h):
        rotation, trace = super().turn(h)
        return rotation.T, trace


@fault("Procrustes allowed reflection", "C-PA-MIRROR")
class Reflects(Plain):
    def turn(self, h):
        u, sigma, vt = np.linalg.svd(h)
        return vt.T @ u.T, sigma.sum()


@fault("reflection undone by negating the whole rotation", "C-PA-MIRROR")
class NegatesAll(Reflects):
    def turn(self, h):
        rotation, trace = super().turn(h)
        return (rotation if np.linalg.det(rotation) > 0 else -rotation), trace


@fault("reflection undone in the wrong column", "C-PA-MIRROR")
class WrongColumn(Plain):
    def turn(self, h):
        u, sigma, vt = np.linalg.svd(h)
        d = np.sign(np.linalg.det(u @ vt))
        return vt.T @ np.diag([d, 1, 1]) @ u.T, d * sigma[0] + sigma[1] + sigma[2]


@fault("scale forgets the reflection's sign", "C-PA-MIRROR")
class ForgetsSign(Plain):
    def turn(self, h):
        return super().turn(h)[0], np.linalg.svd(h)[1].sum()


@fault("planar pose flattened: sign of det(H) is 0", "C-PA-PLANAR")
class SignOfH(Plain):
    def turn(self, h):
        u, sigma, vt = np.linalg.svd(h)
        d = np.sign(np.linalg.det(h))
        return vt.T @ np.diag([1, 1, d]) @ u.T, sigma[0] + sigma[1] + d * sigma[2]


class ByRank(Plain):
    """Leaves the SVD alone where H has a low rank, and does `low` there."""

    rank = 2

    def turn(self, h):
        return super().turn(h) if np.linalg.matrix_rank(h) > self.rank else self.low(h)

    def low(self, h):
        raise np.linalg.LinAlgError


@fault("a planar pose raises", "C-PA-PLANAR")
@fault("a collinear pose raises", "C-PA-COLLINEAR")
class RefusesPlanes(ByRank):
    pass


@fault("a planar pose gives NaN", "C-PA-PLANAR")
@fault("a collinear pose gives NaN", "C-PA-COLLINEAR")
class PlanesAreNaN(ByRank):
    def low(self, h):
        return np.eye(3), np.nan


@fault("rotation lost on a collinear pose", "C-PA-COLLINEAR")
class LinesUnturned(ByRank):
    rank = 1

    def low(self, h):
        return np.eye(3), np.linalg.svd(h)[1].sum()


@fault("collinear pose counted as perfect", "C-PA-COLLINEAR")
class LinesArePerfect(Plain):
    def align(self, p, g, used):
        return super().align(p, g, used) if np.linalg.matrix_rank(p - p.mean(0)) > 1 else (g, g)


# -------------------------------------------------------------------------------------------------------------- shares


@fault("<= in place of <", "C-PCK-STRICT")
@fault("AUC by <= in place of <", "C-AUC-PERFECT", "C-AUC")
class Inclusive(Plain):
    def below(self, errors, threshold):
        return errors <= threshold


@fault("root joint counted in PCK", "C-PCK-ROOT")
class AllJoints(Plain):
    def batch(self, kind, pred, gt, known, root, joints):
        return super().batch(kind, pred, gt, known, root, range(gt.shape[1]))


@fault("centred on the first of the joints that count", "C-PCK-ROOT")
class FirstOfChosen(Plain):
    def row(self, kind, p, g, known, root, joints):
        return super().row(kind, p, g, known, joints[root], joints)


@fault("a share of 1 in place of per cent", "C-PCK-STRICT", "C-AUC", "C-NPCK", "C-PSS")
class Fraction(Plain):
    def __call__(self, pred, gt, **options):
        return super().__call__(pred, gt, **options) / 100


@fault("answers in metres", "C-MPJPE", "C-PMPJPE")
class Metres(Plain):
    def __call__(self, pred, gt, **options):
        return super().__call__(pred, gt, **options) / 1000


@fault("AUC without threshold 0", "C-AUC-PERFECT", "C-AUC")
class NoZero(Plain):
    thresholds = THRESHOLDS[1:]


@fault("AUC without threshold 150", "C-AUC-PERFECT", "C-AUC")
class HalfOpen(Plain):
    thresholds = THRESHOLDS[:-1]


@fault("AUC by <= without threshold 0", "C-AUC")
class InclusiveNoZero(Inclusive):
    thresholds = THRESHOLDS[1:]


@fault("AUC over 0, 5, ..., 195 mm", "C-AUC")
class Forty(Plain):
    thresholds = tuple(range(0, 196, 5))


@fault("steps of 1 mm", "C-AUC")
class FineSteps(Plain):
    thresholds = tuple(range(151))


@fault("AUC by the trapezoidal rule", "C-AUC-PERFECT", "C-AUC")
class Trapezoids(Plain):
    def value(self, kind, row):
        curve = [100 * (row < t).mean() for t in self.thresholds]
        return np.trapezoid(curve, self.thresholds) / 150


@fault("continuous AUC", "C-AUC-PERFECT", "C-AUC")
class Continuous(Plain):
    def value(self, kind, row):
        return 100 * np.clip(1 - row / 150, 0, 1).mean()


@fault("mean joint in place of the worst", "C-CPS")
class MeanJoint(Plain):
    def joint(self, errors):
        return errors.mean()


@fault("CPS after root-centring", "C-CPS")
class CentredCPS(Plain):
    def align(self, p, g, used):
        return p - p[0], g - g[0]


@fault("CPS not centred", "C-CPS")
class AbsoluteCPS(Plain):
    def align(self, p, g, used):
        return p, g


@fault("CPS summed in steps of 1 mm", "C-CPS")
class SteppedCPS(Plain):
    def reduce(self, kind, rows):
        return float(np.mean([[row.max() < t for row in rows] for t in range(301)]) * 300)


@fault("CPS as a share", "C-CPS")
class ShareCPS(Plain):
    def reduce(self, kind, rows):
        return super().reduce(kind, rows) / 3


# ------------------------------------------------------------------------------------------------ motion and structure


@fault("differences cross sequence boundaries", "C-MOTION-BOUNDARY", "C-MOTION-ACCEL")
class CrossesBoundaries(Plain):
    def motion(self, pred, gt, root, labels, order):
        return super().motion(pred, gt, root, np.zeros(len(gt)), order)


@fault("mean of the sequences' means", "C-MOTION-BOUNDARY")
class MeanOfSequences(Plain):
    def motion(self, pred, gt, root, labels, order):
        parts = [(pred[labels == each], gt[labels == each]) for each in np.unique(labels)]
        return float(
            np.mean([super(MeanOfSequences, self).motion(p, g, root, np.zeros(len(g)), order) for p, g in parts])
        )


@fault("difference of speeds in place of velocities", "C-MOTION-BOUNDARY")
class Speeds(Plain):
    def motion(self, pred, gt, root, labels, order):
        total = []
        for each in np.unique(labels):
            p, g = (np.diff(side[labels == each] - side[labels == each, root][:, None], axis=0) for side in (pred, gt))
            total.append(abs(np.linalg.norm(p, axis=-1) - np.linalg.norm(g, axis=-1)))
        return float(np.concatenate(total).mean())


@fault("first differences in place of second", "C-MOTION-ACCEL")
class FirstDifferences(Plain):
    def motion(self, pred, gt, root, labels, order):
        return super().motion(pred, gt, root, labels, 1)


@fault("the frame rate left out", "C-MOTION-RATE", "C-MOTION-RATE-ACCEL")
class NoRate(Plain):
    def time(self, rate, order):
        return 1.0


@fault("the frame rate not squared", "C-MOTION-RATE-ACCEL")
class RateOnce(Plain):
    def time(self, rate, order):
        return rate


@fault("prediction not normalised", "C-PSS")
class RawPrediction(Plain):
    def unit(self, p):
        return p


@fault("neither side normalised, or products in place of distances", "C-PSS")
class Products(Plain):
    def nearest(self, p, centres):
        return max(range(len(centres)), key=lambda k: (p * centres[k]).sum())

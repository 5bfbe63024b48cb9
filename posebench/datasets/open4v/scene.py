"""What stands around a body and how it is looked at: cameras, room, light, clothes. Nothing is drawn here.

A world has y up, the floor at y = 0 and the middle of the capture area at the origin; lengths are mm. Pixel (0, 0) has
its middle at (0, 0), as in OpenCV, so that a picture of width W reaches from -0.5 to W - 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from posebench.cameras import Camera
from posebench.datasets.open4v.body import Body
from posebench.datasets.room import FOCAL, SIZE

Floats = npt.NDArray[np.float64]
Colour = tuple[float, float, float]


# ------------------------------------------------------------------------------------------------------------ cameras


@dataclass(frozen=True)
class RigRange:
    """From and to, for cameras at random: along the floor and above it in mm, focal length in px."""

    distance: tuple[float, float] = (4300.0, 6000.0)
    height: tuple[float, float] = (1300.0, 1700.0)
    focal: tuple[float, float] = (FOCAL - 15, FOCAL + 15)
    target: tuple[float, float] = (800.0, 1000.0)
    #: Degrees that a camera may stand beside its corner, and be tilted about its axis.
    swing: float = 8.0
    tilt: float = 1.5


#: The rigs of the splits. The wild one sees from lower, higher, nearer and further, through other lenses.
STUDIO = RigRange()
WILD = RigRange((4000.0, 8000.0), (500.0, 2600.0), (800.0, 1700.0), (700.0, 1100.0), 20.0, 6.0)
ANYWHERE = RigRange((4000.0, 7500.0), (700.0, 2400.0), (900.0, 1600.0), (700.0, 1100.0), 180.0, 5.0)


def sample_rig(
    random: np.random.Generator, kind: RigRange = STUDIO, *, n: int = 4, subject: str | None = None
) -> list[Camera]:
    """Cameras around the capture area, one at each corner in the order in which they stand; names `cam1` to `cam4`.

    Examples
    --------
    >>> cameras = sample_rig(np.random.default_rng(0))
    >>> [camera.name for camera in cameras], cameras[0].size
    (['cam1', 'cam2', 'cam3', 'cam4'], (1000, 1000))
    """
    cameras = []
    for i in range(n):
        angle = math.pi / 4 + 2 * math.pi * i / n + math.radians(random.uniform(-kind.swing, kind.swing))
        distance, height = random.uniform(*kind.distance), random.uniform(*kind.height)
        place = np.array([distance * math.cos(angle), height, distance * math.sin(angle)])
        target = np.array([random.normal(0, 100), random.uniform(*kind.target), random.normal(0, 100)])
        focal = random.uniform(*kind.focal)
        centre = (SIZE - 1) / 2 + random.uniform(-12, 12, 2)
        rotation = looking(place, target, math.radians(random.uniform(-kind.tilt, kind.tilt)))
        cameras.append(
            Camera(
                f"cam{i + 1}",
                [[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]],
                [],
                rotation,
                -rotation @ place,
                unit="mm",
                size=(SIZE, SIZE),
                subject=subject,
                source="open4v",
            )
        )
    return cameras


def looking(place: Floats, target: Floats, tilt: float = 0.0) -> Floats:
    """The rotation (3, 3) from the world to a camera at `place` that looks at `target`, turned by `tilt` in rad.

    Rows are the camera's axes: x right, y down, z forward.
    """
    forward = (target - place) / np.linalg.norm(target - place)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = math.cos(tilt), math.sin(tilt)
    return np.stack([c * right + s * down, c * down - s * right, forward])


@dataclass(frozen=True)
class Crop:
    """A square of a picture: its left and upper edge and its side in px of the picture, and its own size in px.

    Edges are lines between pixels: a picture's own left edge is at -0.5.
    """

    left: float
    top: float
    side: float
    size: int

    def intrinsics(self, K: Floats) -> Floats:
        """The intrinsics (3, 3) of the square, given those of the picture.

        Examples
        --------
        >>> K = np.array([[1000.0, 0, 499.5], [0, 1000, 499.5], [0, 0, 1]])
        >>> Crop(-0.5, -0.5, 1000, 500).intrinsics(K)
        array([[500. ,   0. , 249.5],
               [  0. , 500. , 249.5],
               [  0. ,   0. ,   1. ]])
        """
        scale = self.size / self.side
        moved = np.array([[scale, 0, -scale * self.left - 0.5], [0, scale, -scale * self.top - 0.5], [0, 0, 1]])
        return np.asarray(moved @ K)


#: mm: a crop shows at least a square of this side at the depth of the pelvis, as in the training of EpipolarPose.
CROP_MM = 2000.0
#: And it is larger than the box of the body by at least this.
CROP_MARGIN = 1.1


def crop_around(box: Floats, focal: float, depth: float, size: int) -> Crop:
    """The square to be rendered around a body with the given box (left, top, right, bottom) in px.

    It has the middle of the box, and the side of `CROP_MM` at the pelvis' depth, or more where the body is longer.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    side = max(CROP_MM * focal / depth, CROP_MARGIN * max(width, height))
    return Crop((box[0] + box[2] - side) / 2, (box[1] + box[3] - side) / 2, side, size)


def box_of(pixels: Floats) -> Floats:
    """The box (4,) left, top, right, bottom of points (..., 2), in px."""
    flat = pixels.reshape(-1, 2)
    return np.concatenate([flat.min(axis=0), flat.max(axis=0)])


# --------------------------------------------------------------------------------------------------------------- room


@dataclass(frozen=True)
class Surface:
    """What covers a wall or the floor: an image by name, the mm that it spans, its place in it, and its colour."""

    image: str
    span: float
    offset: tuple[float, float]
    tint: Colour
    #: 0 leaves the image's contrast, 1 takes all of it away.
    fade: float


@dataclass(frozen=True)
class Room:
    """Floor, ceiling and four walls. `half` is half its width and depth, in mm."""

    half: tuple[float, float]
    height: float
    floor: Surface
    ceiling: Surface
    walls: tuple[Surface, Surface, Surface, Surface]


@dataclass(frozen=True)
class Light:
    """Where light comes from (a unit vector towards it), its colour, and that of the light from all around."""

    towards: tuple[float, float, float]
    colour: Colour
    ambient: Colour
    #: How dark the ground is below the body, 0 to 1.
    shadow: float = 0.5
    #: Multiplies everything; and the spread of the noise of the picture, of 255 grey values.
    exposure: float = 1.0
    noise: float = 2.0


def sample_room(random: np.random.Generator, images: Sequence[str], cameras: Sequence[Camera]) -> Room:
    """A room around the cameras, covered with the named images."""
    reach = np.abs([camera.centre[[0, 2]] for camera in cameras]).max(axis=0)
    half = np.maximum(reach + random.uniform(600, 2500, 2), 3500)
    height = max(2900.0, max(camera.centre[1] for camera in cameras) + 500) + random.uniform(0, 800)
    surfaces = [_sample_surface(random, images, plain=i == 1) for i in range(6)]
    return Room((float(half[0]), float(half[1])), float(height), surfaces[0], surfaces[1], tuple(surfaces[2:]))  # type: ignore[arg-type]


def _sample_surface(random: np.random.Generator, images: Sequence[str], *, plain: bool) -> Surface:
    value = random.uniform(0.45, 1.0)
    return Surface(
        images[int(random.integers(len(images)))],
        float(math.exp(random.uniform(math.log(900), math.log(6000)))),
        (float(random.uniform()), float(random.uniform())),
        _colour(random, saturation=0.35, value=value),
        float(random.uniform(0.8, 1.0) if plain else random.uniform(0.0, 0.75)),
    )


def sample_light(random: np.random.Generator, *, wild: bool = False) -> Light:
    """Light from above and somewhere to the side; a `wild` one is harder, more coloured, brighter or darker."""
    azimuth = random.uniform(0, 2 * math.pi)
    elevation = math.radians(random.uniform(15, 80) if wild else random.uniform(40, 80))
    towards = (
        math.cos(elevation) * math.cos(azimuth),
        math.sin(elevation),
        math.cos(elevation) * math.sin(azimuth),
    )
    ambient = random.uniform(0.2, 0.6) if wild else random.uniform(0.4, 0.6)
    saturation = 0.35 if wild else 0.12
    sun, sky = (_colour(random, saturation=saturation, value=1.0) for _ in range(2))
    direct = 1.15 - ambient
    return Light(
        towards,
        (direct * sun[0], direct * sun[1], direct * sun[2]),
        (ambient * sky[0], ambient * sky[1], ambient * sky[2]),
        float(random.uniform(0.2, 0.7)),
        float(random.uniform(0.6, 1.3) if wild else random.uniform(0.9, 1.1)),
        float(random.uniform(0, 8) if wild else random.uniform(0.5, 3)),
    )


def _colour(random: np.random.Generator, *, saturation: float, value: float) -> Colour:
    """A colour of any hue, at most as saturated as said."""
    hue, strength = random.uniform(0, 6), random.uniform(0, saturation)
    parts = [value * (1 - strength * max(0.0, min((k + hue) % 6, 4 - (k + hue) % 6, 1))) for k in (5, 3, 1)]
    return parts[0], parts[1], parts[2]


# -------------------------------------------------------------------------------------------------------------- looks


@dataclass(frozen=True)
class Garment:
    """A colour, a second one for its pattern, the pattern (0 plain, 1 stripes, 2 checks, 3 blotches) and its mm."""

    colour: Colour
    second: Colour
    pattern: int = 0
    size: float = 60.0
    #: mm that it stands off the skin.
    thickness: float = 8.0


@dataclass(frozen=True)
class Look:
    """Skin, hair and clothes; lengths of sleeves and legs are 1 at the elbow and the knee, 2 at wrist and ankle."""

    skin: Colour
    hair: Colour
    shirt: Garment
    trousers: Garment
    shoes: Garment
    sleeve: float
    leg: float
    #: How far the hair comes down at the back of the head, 0 to 1; below 0.1 there is none.
    hair_length: float
    eyes: Colour = field(default=(0.16, 0.11, 0.08))


#: Skins from dark to light.
_SKINS = (
    (0.24, 0.15, 0.11),
    (0.36, 0.23, 0.16),
    (0.55, 0.37, 0.27),
    (0.71, 0.50, 0.38),
    (0.84, 0.63, 0.51),
    (0.92, 0.74, 0.64),
)
_HAIRS = ((0.05, 0.04, 0.04), (0.16, 0.10, 0.07), (0.33, 0.21, 0.12), (0.62, 0.47, 0.26), (0.45, 0.44, 0.43))


def sample_look(random: np.random.Generator) -> Look:
    """Clothes, skin and hair at random."""
    tone = random.uniform(0, len(_SKINS) - 1)
    lower = min(int(tone), len(_SKINS) - 2)
    share = tone - lower
    skin = tuple(a + share * (b - a) for a, b in zip(_SKINS[lower], _SKINS[lower + 1], strict=True))
    return Look(
        skin=skin,  # type: ignore[arg-type]
        hair=_HAIRS[int(random.integers(len(_HAIRS)))],
        shirt=_garment(random, thickness=random.uniform(6, 16)),
        trousers=_garment(random, thickness=random.uniform(6, 18), patterned=0.25),
        shoes=_garment(random, thickness=random.uniform(8, 14), patterned=0.0),
        sleeve=float(random.choice([0.0, 0.5, 0.6, 0.9, 1.5, 1.92])),
        leg=float(random.choice([0.45, 0.7, 1.2, 1.9, 1.9, 1.9])),
        hair_length=float(random.choice([0.0, 0.35, 0.5, 0.6, 0.8])),
    )


def _garment(random: np.random.Generator, *, thickness: float, patterned: float = 0.5) -> Garment:
    colour = _colour(random, saturation=0.9, value=float(random.uniform(0.12, 1.0)))
    second = _colour(random, saturation=0.9, value=float(random.uniform(0.12, 1.0)))
    pattern = int(random.integers(1, 4)) if random.uniform() < patterned else 0
    return Garment(colour, second, pattern, float(random.uniform(25, 130)), float(thickness))


#: What a body's surface is made of, by number.
SKIN, HAIR, EYES, SHIRT, TROUSERS, SHOES = range(6)
MATERIALS = 6


@dataclass(frozen=True, eq=False)
class Dressed:
    """A body's surface with clothes: vertices at rest (V, 3) in mm, and the garment of each, `material` (V,)."""

    vertices: Floats
    material: npt.NDArray[np.int_]
    garments: tuple[Garment, ...]


def dress(body: Body, look: Look) -> Dressed:
    """Say what covers each vertex of a body, and move those under cloth outwards by its thickness."""
    v = body.vertices
    names = np.array(body.bones)[body.weights.argmax(axis=1)]
    along = _along_limbs(body)

    def of(*bones: str) -> npt.NDArray[np.bool_]:
        return np.isin(names, [*bones, *(f"{side}{bone}" for side in ("Left", "Right") for bone in bones)])

    trunk = of("Spine", "Spine1", "LowerBack", "Shoulder", "Hips", "LHipJoint", "RHipJoint")
    below_neck = v[:, 1] < body.heads[body.index("Neck"), 1] - 5
    above_waist = v[:, 1] >= body.heads[body.index("LowerBack"), 1] - 10
    arms, legs, head = of("Arm", "ForeArm", "Hand"), of("UpLeg", "Leg"), of("Head")
    material = np.full(len(v), SKIN)
    material[(trunk & above_waist & below_neck) | (arms & (along < look.sleeve))] = SHIRT
    material[(trunk & ~above_waist) | (legs & (along < look.leg))] = TROUSERS
    material[of("Foot", "ToeBase") | (legs & (along > 1.97))] = SHOES
    # From the hairline over the ears to the nape; the face stays free.
    crown, nose = v[body.crown], v[body.nose]
    level = (crown[1] - v[:, 1]) / (crown[1] - nose[1])
    depth = (nose[2] - v[:, 2]) / (nose[2] - v[head, 2].min())
    material[head & (look.hair_length > 0.1) & (level < 0.45 + 2.2 * look.hair_length * (depth - 0.45))] = HAIR
    material[body.eyes] = EYES
    garments = (
        Garment(look.skin, look.skin, thickness=0),
        Garment(look.hair, look.hair, thickness=6 + 14 * look.hair_length),
        Garment(look.eyes, look.eyes, thickness=0),
        look.shirt,
        look.trousers,
        look.shoes,
    )
    thickness = np.array([garment.thickness for garment in garments])[material]
    return Dressed(v + thickness[:, None] * body.normals, material, garments)


def _along_limbs(body: Body) -> Floats:
    """How far along its limb each vertex lies: 0 at shoulder and hip, 1 at elbow and knee, 2 at wrist and ankle."""
    along = np.full(len(body.vertices), 3.0)
    main = body.weights.argmax(axis=1)
    for side in ("Left", "Right"):
        for chain in (("Arm", "ForeArm", "Hand"), ("UpLeg", "Leg", "Foot")):
            bones = [body.index(f"{side}{bone}") for bone in chain]
            for i in range(2):
                start, end = body.heads[bones[i]], body.heads[bones[i + 1]]
                rows = main == bones[i]
                share = (body.vertices[rows] - start) @ (end - start) / ((end - start) @ (end - start))
                along[rows] = i + np.clip(share, 0, 1)
    return along


__all__ = [
    "ANYWHERE",
    "CROP_MM",
    "MATERIALS",
    "STUDIO",
    "WILD",
    "Crop",
    "Dressed",
    "Garment",
    "Light",
    "Look",
    "RigRange",
    "Room",
    "Surface",
    "box_of",
    "crop_around",
    "dress",
    "looking",
    "sample_light",
    "sample_look",
    "sample_rig",
    "sample_room",
]

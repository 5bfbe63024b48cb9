"""Drawing a dressed body in a room, without a screen: moderngl on EGL, where software (Mesa) is enough.

A picture is a square crop of a camera's picture, drawn with the crop's own intrinsics, so that nothing is resampled.
Besides the picture there is a depth buffer of back faces: where the ray to a joint leaves the body before it reaches
the joint, something is in front of it.
"""

from __future__ import annotations

import ctypes.util
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from posebench.datasets.open4v.scene import MATERIALS, Dressed, Light, Room, Surface
from posebench.errors import InputError, MissingExtraError, UsageError

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

#: mm in front of the camera between which things are drawn.
NEAR, FAR = 150.0, 60000.0
#: Coverage samples per pixel.
SAMPLES = 4
#: Side of the images on walls and floor, px.
TEXTURE = 256
#: Points that darken the floor below them.
SHADOWS = 6

_COMMON = """
uniform float exposure; uniform float noise; uniform uint seed;
uint stir(uint x) { x ^= x >> 16; x *= 0x7feb352du; x ^= x >> 15; x *= 0x846ca68bu; x ^= x >> 16; return x; }
float grain() {
    uint h = stir(uint(gl_FragCoord.x) + 4096u * uint(gl_FragCoord.y) + seed);
    return (float(h & 0xffffu) + float(h >> 16) - 65535.0) / 65535.0;
}
vec4 developed(vec3 light) { return vec4(sqrt(clamp(light * exposure, 0.0, 1.0)) + noise * grain(), 1.0); }
"""
#: Triangles are about as small as pixels, so the light is computed at the vertices.
_BODY_VERTEX = """
#version 330
uniform mat4 clip; uniform vec3 eye; uniform vec3 sun; uniform vec3 sun_colour; uniform vec3 ambient;
in vec3 in_position; in vec3 in_normal; in vec3 in_rest; in float in_material;
out vec3 light; out vec3 rest; flat out int material;
void main() {
    gl_Position = clip * vec4(in_position, 1.0);
    vec3 n = normalize(in_normal), v = normalize(eye - in_position);
    float wrap = max(0.0, (dot(n, sun) + 0.25) / 1.25);
    float shine = 0.15 * pow(max(0.0, dot(n, normalize(sun + v))), 20.0);
    light = sun_colour * (wrap + shine) + ambient * (0.65 + 0.35 * n.y);
    rest = in_rest; material = int(in_material + 0.5);
}
"""
_BODY_FRAGMENT = (
    "#version 330\n"
    + _COMMON
    + """
uniform vec4 colours[MATERIALS]; uniform vec4 seconds[MATERIALS];
in vec3 light; in vec3 rest; flat in int material; out vec4 result;
void main() {
    vec4 first = colours[material], second = seconds[material];
    vec3 p = rest / second.w, base = first.rgb;
    if (first.w > 0.5) {
        float share;
        if (first.w < 1.5) share = step(0.5, fract(p.y));
        else if (first.w < 2.5) share = 0.5 * (step(0.5, fract(p.y)) + step(0.5, fract(p.x)));
        else {
            float a = sin(3.1 * p.x + 1.7 * sin(2.3 * p.y)), b = sin(2.9 * p.y + 1.3 * sin(2.7 * p.z));
            share = smoothstep(-0.2, 0.2, a * b);
        }
        base = mix(base, second.rgb, share);
    }
    result = developed(base * base * light);
}
""".replace("MATERIALS", str(MATERIALS))
)
_DEPTH_FRAGMENT = "#version 330\nvoid main() {}\n"
_DEPTH_VERTEX = """
#version 330
uniform mat4 clip;
in vec3 in_position;
void main() { gl_Position = clip * vec4(in_position, 1.0); }
"""
_ROOM_VERTEX = """
#version 330
uniform mat4 clip; uniform vec3 half_size; uniform float height;
in vec3 in_corner; in vec3 in_inward; in float in_face;
out vec3 at; flat out vec3 inward; flat out int face;
void main() {
    at = vec3(in_corner.x * half_size.x, in_corner.y * height, in_corner.z * half_size.z);
    gl_Position = clip * vec4(at, 1.0); inward = in_inward; face = int(in_face + 0.5);
}
"""
_ROOM_FRAGMENT = (
    "#version 330\n"
    + _COMMON
    + """
uniform sampler2DArray images; uniform vec3 sun; uniform vec3 sun_colour; uniform vec3 ambient;
uniform vec4 placed[6]; uniform vec4 tinted[6]; uniform vec4 shadows[SHADOWS]; uniform float shadow;
in vec3 at; flat in vec3 inward; flat in int face; out vec4 result;
void main() {
    vec2 along = abs(inward.y) > 0.5 ? at.xz : vec2(abs(inward.x) > 0.5 ? at.z : at.x, -at.y);
    vec3 seen = texture(images, vec3(along / placed[face].x + placed[face].yz, placed[face].w)).rgb;
    vec3 base = mix(seen, vec3(0.5), tinted[face].w);
    base = 2.0 * base * base * tinted[face].rgb;
    float lit = 1.0;
    if (face == 0) {
        for (int i = 0; i < SHADOWS; i++) {
            vec2 d = (at.xz - shadows[i].xy) / shadows[i].z;
            lit *= 1.0 - shadow * shadows[i].w * exp(-dot(d, d));
        }
    }
    float facing = max(0.0, dot(inward, sun));
    result = developed(base * lit * (sun_colour * (0.35 + 0.5 * facing) + ambient * 0.9));
}
""".replace("SHADOWS", str(SHADOWS))
)
#: Floor, ceiling and walls of a unit room: four corners each, and the direction inwards.
_FACES = (
    (((-1, 0, -1), (1, 0, -1), (1, 0, 1), (-1, 0, 1)), (0, 1, 0)),
    (((-1, 1, -1), (1, 1, -1), (1, 1, 1), (-1, 1, 1)), (0, -1, 0)),
    (((1, 0, -1), (1, 1, -1), (1, 1, 1), (1, 0, 1)), (-1, 0, 0)),
    (((-1, 0, -1), (-1, 1, -1), (-1, 1, 1), (-1, 0, 1)), (1, 0, 0)),
    (((-1, 0, 1), (-1, 1, 1), (1, 1, 1), (1, 0, 1)), (0, 0, -1)),
    (((-1, 0, -1), (-1, 1, -1), (1, 1, -1), (1, 0, -1)), (0, 0, 1)),
)


def open_context() -> Any:
    """A moderngl context without a screen.

    Raises
    ------
    MissingExtraError
        If moderngl is not installed.
    InputError
        If there is no EGL on the machine, or none that can draw; the message names Debian's packages.
    """
    try:
        import moderngl
    except ImportError:
        raise MissingExtraError("rendering", "moderngl", "data") from None
    advice = "install Debian's packages libegl1 and libgl1-mesa-dri: apt-get install libegl1 libgl1-mesa-dri"
    library = ctypes.util.find_library("EGL")
    if library is None:
        raise InputError(f"rendering needs EGL, and this machine has no libEGL; {advice}")
    try:
        # EGL hands out GL's functions itself, so libGL, which belongs to screens, need not be there.
        return moderngl.create_context(standalone=True, backend="egl", require=330, libegl=library, libgl=library)
    except Exception as error:
        raise InputError(
            f"rendering needs EGL with OpenGL 3.3, which could not be opened ({error}); {advice}"
        ) from None


def opengl_version() -> str:
    """What draws here, such as ``llvmpipe (LLVM 15.0.6, 256 bits), 4.5 (Core Profile) Mesa 22.3.6``.

    Raises
    ------
    MissingExtraError, InputError
        As `open_context`.
    """
    context = open_context()
    try:
        return f"{context.info['GL_RENDERER']}, {context.info['GL_VERSION']}"
    finally:
        context.release()


class Renderer:
    """Draws one body after the other, in squares of one size.

    Parameters
    ----------
    size : int
        Side of the pictures in px.
    images : mapping of array, (TEXTURE, TEXTURE, 3) uint8
        What may cover walls and floor, by name.

    Raises
    ------
    MissingExtraError, InputError
        As `open_context`.
    UsageError
        If the size is out of range, or an image has another shape.
    """

    def __init__(self, size: int, images: Mapping[str, Pixels]) -> None:
        if not 16 <= size <= 4096:
            raise UsageError(f"pictures of {size} px cannot be rendered, expected 16 to 4096")
        for name, image in images.items():
            if image.shape != (TEXTURE, TEXTURE, 3) or image.dtype != np.uint8:
                raise UsageError(f"image {name!r} has shape {image.shape}, expected {(TEXTURE, TEXTURE, 3)} of uint8")
        self.size = size
        self._context = context = open_context()
        self._layers = {name: layer for layer, name in enumerate(images)}
        self._body_program = context.program(vertex_shader=_BODY_VERTEX, fragment_shader=_BODY_FRAGMENT)
        self._room_program = context.program(vertex_shader=_ROOM_VERTEX, fragment_shader=_ROOM_FRAGMENT)
        self._depth_program = context.program(vertex_shader=_DEPTH_VERTEX, fragment_shader=_DEPTH_FRAGMENT)
        samples = min(SAMPLES, context.max_samples)
        self._drawn = context.framebuffer(
            [context.renderbuffer((size, size), 4, samples=samples)],
            context.depth_renderbuffer((size, size), samples=samples),
        )
        self._resolved = context.framebuffer([context.renderbuffer((size, size), 4)])
        self._depth = context.depth_texture((size, size))
        self._backs = context.framebuffer(depth_attachment=self._depth)
        stacked = np.stack(list(images.values())) if images else np.full((1, TEXTURE, TEXTURE, 3), 128, np.uint8)
        self._texture = context.texture_array((TEXTURE, TEXTURE, len(stacked)), 3, stacked.tobytes())
        self._texture.build_mipmaps()
        self._texture.filter = (context.LINEAR_MIPMAP_NEAREST, context.LINEAR)
        corners = [
            (*corners[i], *inward, face) for face, (corners, inward) in enumerate(_FACES) for i in (0, 1, 2, 0, 2, 3)
        ]
        self._room = context.vertex_array(
            self._room_program,
            [(context.buffer(np.array(corners, "f4").tobytes()), "3f 3f 1f", "in_corner", "in_inward", "in_face")],
        )
        context.enable(context.DEPTH_TEST)
        # Rows are written from top to bottom, which mirrors what GL takes for the front of a triangle.
        context.front_face = "cw"
        self._body: Any = None

    def close(self) -> None:
        """Free the context."""
        self._context.release()

    def take(self, faces: npt.NDArray[np.int32], dressed: Dressed) -> None:
        """Take another body to draw from now on."""
        context = self._context
        if self._body is not None:
            for part in self._body:
                part.release()
        static = np.concatenate([dressed.vertices, dressed.material[:, None]], axis=1)
        count = len(dressed.vertices)
        self._moving = context.buffer(reserve=count * 24, dynamic=True)
        fixed, indices = context.buffer(static.astype("f4").tobytes()), context.buffer(faces.astype("i4").tobytes())
        layout = [
            (self._moving, "3f 3f", "in_position", "in_normal"),
            (fixed, "3f 1f", "in_rest", "in_material"),
        ]
        self._shown = context.vertex_array(self._body_program, layout, indices)
        self._solid = context.vertex_array(self._depth_program, [(self._moving, "3f 12x", "in_position")], indices)
        first = [(*garment.colour, garment.pattern) for garment in dressed.garments]
        second = [(*garment.second, garment.size) for garment in dressed.garments]
        self._body_program["colours"].write(np.array(first, "f4").tobytes())
        self._body_program["seconds"].write(np.array(second, "f4").tobytes())
        self._body = (self._shown, self._solid, self._moving, fixed, indices)

    def pose(self, vertices: npt.NDArray[np.float32], normals: npt.NDArray[np.float32]) -> None:
        """Put the body's vertices (V, 3) and normals (V, 3) where they are to be drawn, in mm."""
        self._moving.write(np.concatenate([vertices, normals], axis=1, dtype=np.float32).tobytes())

    def draw(
        self,
        intrinsics: Floats,
        rotation: Floats,
        translation: Floats,
        room: Room,
        light: Light,
        *,
        shadows: Floats,
        seed: int = 0,
    ) -> Pixels:
        """Draw the body in a room: RGB (size, size, 3).

        Parameters
        ----------
        intrinsics : array, (3, 3)
            Of the square, in px.
        rotation, translation : array, (3, 3) and (3,)
            From the world to the camera, in mm.
        room : Room
        light : Light
        shadows : array, (SHADOWS, 3)
            Points of the body that shade the floor, in mm.
        seed : int
            Of the picture's noise.
        """
        clip = clip_matrix(intrinsics, rotation, translation, self.size)
        for program in (self._body_program, self._room_program):
            program["clip"].write(clip)
            _give(program, "sun", light.towards)
            _give(program, "sun_colour", light.colour)
            _give(program, "ambient", light.ambient)
            _give(program, "exposure", light.exposure)
            _give(program, "noise", light.noise / 255)
            _give(program, "seed", seed & 0xFFFFFFFF)
        _give(self._body_program, "eye", tuple(-rotation.T @ translation))
        self._furnish(room, light, shadows)
        context = self._context
        self._drawn.use()
        self._drawn.clear(0.0, 0.0, 0.0, 1.0, depth=1.0)
        context.disable(context.CULL_FACE)
        self._texture.use(0)
        self._room.render()
        context.enable(context.CULL_FACE)
        context.cull_face = "back"
        self._shown.render()
        context.copy_framebuffer(self._resolved, self._drawn)
        pixels = np.frombuffer(self._resolved.read(components=4, alignment=1), np.uint8)
        return np.ascontiguousarray(pixels.reshape(self.size, self.size, 4)[..., :3])

    def _furnish(self, room: Room, light: Light, shadows: Floats) -> None:
        program = self._room_program
        surfaces = (room.floor, room.ceiling, *room.walls)
        _give(program, "half_size", (room.half[0], 1.0, room.half[1]))
        _give(program, "height", room.height)
        program["placed"].write(np.array([self._placed(surface) for surface in surfaces], "f4").tobytes())
        program["tinted"].write(np.array([(*each.tint, each.fade) for each in surfaces], "f4").tobytes())
        blobs = np.zeros((SHADOWS, 4), "f4")
        blobs[:, :2] = shadows[:, [0, 2]]
        blobs[:, 2] = 130 + 0.35 * np.maximum(shadows[:, 1], 0)  # the higher, the wider and the fainter
        blobs[:, 3] = 130 / blobs[:, 2]
        program["shadows"].write(blobs.tobytes())
        _give(program, "shadow", light.shadow)

    def _placed(self, surface: Surface) -> tuple[float, float, float, float]:
        return surface.span, *surface.offset, float(self._layers[surface.image])

    def backs(self, intrinsics: Floats, rotation: Floats, translation: Floats) -> npt.NDArray[np.float32]:
        """Depth in mm (size, size) of the first place where a ray leaves the body; infinite where it meets none."""
        context = self._context
        self._depth_program["clip"].write(clip_matrix(intrinsics, rotation, translation, self.size))
        self._backs.use()
        self._backs.clear(depth=1.0)
        context.enable(context.CULL_FACE)
        context.cull_face = "front"
        self._solid.render()
        raw = np.frombuffer(self._depth.read(alignment=1), np.float32).reshape(self.size, self.size)
        with np.errstate(divide="ignore"):
            depth = 2 * FAR * NEAR / (FAR + NEAR - (2 * raw - 1) * (FAR - NEAR))
        return np.where(raw < 1, depth, np.float32(np.inf)).astype(np.float32)


def _give(program: Any, name: str, value: Any) -> None:
    """Set a uniform; one that the compiler found no use for is not there."""
    if name in program:
        program[name].value = value


def clip_matrix(intrinsics: Floats, rotation: Floats, translation: Floats, size: int) -> bytes:
    """World to GL's clip coordinates, as the bytes of a column-major mat4; rows of the picture run downwards.

    A pixel's middle is at whole numbers in the intrinsics, and half a pixel further in GL.
    """
    centred = np.array([[2 / size, 0, 1 / size - 1], [0, 2 / size, 1 / size - 1], [0, 0, 1]]) @ intrinsics
    view = np.eye(4)
    view[:3, :3], view[:3, 3] = rotation, translation
    lens = np.zeros((4, 4))
    lens[:2, :3] = centred[:2]
    lens[2, 2:] = (FAR + NEAR) / (FAR - NEAR), -2 * FAR * NEAR / (FAR - NEAR)
    lens[3, 2] = 1
    return (lens @ view).T.astype("f4").tobytes()


def visible(
    depths: npt.NDArray[np.float32], pixels: Floats, distance: Floats, slack: float = 5.0
) -> npt.NDArray[np.bool_]:
    """Which joints (J,) nothing stands in front of.

    Parameters
    ----------
    depths : array, (size, size)
        As `Renderer.backs` gives them, in mm.
    pixels : array, (J, 2)
        Where the joints are in the picture; those outside are not visible.
    distance : array, (J,)
        Their depths in mm.
    slack : float
        mm by which a body may end before the joint.

    Examples
    --------
    >>> depths = np.array([[900.0, np.inf], [np.inf, 2100.0]], np.float32)
    >>> visible(depths, np.array([[0, 0], [1, 1], [1, 0], [2, 0.0]]), np.full(4, 2000.0)).tolist()
    [False, True, True, False]
    """
    whole = np.floor(pixels + 0.5).astype(np.int64)
    inside = ((whole >= 0) & (whole < len(depths))).all(axis=1)
    column, row = np.clip(whole, 0, len(depths) - 1).T
    return np.asarray(inside & (depths[row, column] > distance - slack))


__all__ = ["FAR", "NEAR", "SHADOWS", "TEXTURE", "Renderer", "clip_matrix", "open_context", "visible"]

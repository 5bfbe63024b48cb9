"""Pickles: NumPy's arrays come out, and nothing that a pickle names is ever imported or called."""

from __future__ import annotations

import collections
import functools
import os
import pickle
import struct
import subprocess

import numpy as np
import pytest

from posebench.errors import InputError
from posebench.io import pickle_file, read
from posebench.io.pickle_file import load_numpy_pickle
from tests.support.watchdog import watchdog

POSES = np.random.default_rng(0).normal(size=(3, 17, 3))
PROTOCOLS = range(6)


def dumped(path, content, protocol=4):
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_dict_by_python_is_read(protocol, tmp_path):
    content = {
        "poses": POSES.astype(np.float32),
        "valid": np.ones((3, 17), bool),
        "action": np.array(["Eating", "Eating", "Wälking"]),
        "subject": ["S9", b"S9", 11],
        "camera": "c1",
        "frame": [np.int64(4), 5, 6],
        "unit": np.str_("mm"),
        "skeleton": np.array("h36m17"),
        "fps": np.float32(50),
        "root_depth": np.float64(4000),
        "extra": (1, -2.5, 10**30, None, True, {"a": [[]]}),
    }
    poses = read(dumped(tmp_path / "a.pkl", content, protocol))
    np.testing.assert_array_equal(poses.poses, content["poses"])
    assert poses.poses.dtype == np.float32
    assert poses.poses.flags.aligned
    assert poses.valid.all()
    assert poses.action.values.tolist() == ["Eating", "Eating", "Wälking"]
    assert poses.subject.values.tolist() == ["S9", "S9", "11"]
    assert poses.frame.tolist() == [4, 5, 6]
    assert (poses.camera.names, poses.unit, poses.skeleton.name) == (("c1",), "mm", "h36m17")
    assert (poses.fps, poses.root_depth) == (50.0, 4000.0)
    assert poses.notes == (f"{tmp_path / 'a.pkl'}: ignored 'extra'",)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "array",
    [
        POSES,
        np.asfortranarray(POSES),
        POSES[::2],
        POSES.transpose(1, 0, 2),
        POSES.astype(">f8"),
        POSES.astype("f2"),
        POSES.astype("i8"),
    ],
    ids=["c", "fortran", "strided", "transposed", "big-endian", "half", "int"],
)
def test_a_bare_array_of_any_layout_is_read(protocol, array, tmp_path):
    np.testing.assert_array_equal(read(dumped(tmp_path / "a.pkl", array, protocol)).poses, array.astype(np.float64))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickled_memory_map_is_read(protocol, tmp_path):
    np.save(tmp_path / "a.npy", POSES)
    dumped(tmp_path / "a.pkl", np.load(tmp_path / "a.npy", mmap_mode="r"), protocol)
    np.testing.assert_array_equal(read(tmp_path / "a.pkl").poses, POSES)


@pytest.mark.parametrize("protocol", [2, 3])
def test_the_names_of_numpy_1_are_known(protocol, tmp_path):
    content = pickle.dumps({"poses": POSES, "fps": np.float64(50)}, protocol)
    assert b"numpy._core" in content
    (tmp_path / "a.pkl").write_bytes(content.replace(b"numpy._core", b"numpy.core"))
    assert read(tmp_path / "a.pkl").fps == 50


def test_a_pickle_by_python_2_is_read(tmp_path):
    # pickle.dumps({'poses': numpy.array([[[1., 2., 3.]]]), 'unit': 'mm'}, 2) as Python 2 and NumPy 1 write it
    content = (
        b"\x80\x02}q\x01(U\x05posesq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85q\x05"
        b"U\x01bq\x06\x87q\x07Rq\x08(K\x01K\x01K\x01K\x03\x87q\tcnumpy\ndtype\nq\nU\x02f8q\x0bK\x00K\x01\x87q\x0cRq\r"
        b"(K\x03U\x01<q\x0eNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0fb\x89U\x18"
        + struct.pack("<3d", 1, 2, 3)
        + b"q\x10tq\x11bU\x04unitq\x12U\x02mmq\x13u."
    )
    (tmp_path / "a.pkl").write_bytes(content)
    poses = read(tmp_path / "a.pkl")
    assert poses.poses.tolist() == [[[1, 2, 3]]]
    assert poses.unit == "mm"


def test_a_text_pickle_by_python_2_is_read(tmp_path):
    data = repr(struct.pack("<3d", 1, 2, 3))[1:].encode()
    content = (
        b"(dp0\nS'poses'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntp4\nS'b'\np5\ntp6\n"
        b"Rp7\n(I1\n(I1\nI1\nL3L\ntp8\ncnumpy\ndtype\np9\n(S'f8'\np10\nI0\nI1\ntp11\nRp12\n(I3\nS'<'\np13\nNNNI-1\nI-1\n"
        b"I0\ntp14\nbI00\nS" + data + b"\np15\ntp16\nbs."
    )
    (tmp_path / "a.pkl").write_bytes(content)
    assert read(tmp_path / "a.pkl").poses.tolist() == [[[1, 2, 3]]]


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def _payloads(touched):
    run = f"open({str(touched)!r}, 'w')"
    return {
        "os.system": Calls(os.system, f"touch {touched}"),
        "subprocess": Calls(subprocess.Popen, ["touch", str(touched)]),
        "eval": Calls(eval, run),
        "exec": Calls(exec, run),
        "open": Calls(open, str(touched), "w"),
        "getattr": Calls(getattr, "a", "upper"),
        "import": Calls(__import__, "os"),
        "partial": functools.partial(os.system, f"touch {touched}"),
        "numpy.load": Calls(np.load, str(touched)),
        "numpy.fromfile": Calls(np.fromfile, str(touched)),
        "numpy.save": Calls(np.save, str(touched), 1),
        "numpy.ndarray": Calls(np.ndarray, (10**12,)),
        "numpy.dtype": Calls(np.dtype, [("a", "O")]),
        "numpy.runstring": Calls(np.testing.rundocs, str(touched)),
        "numpy.vectorize": Calls(np.vectorize, print),
        "bytes": Calls(bytes, 10**12),
        "bytearray": Calls(bytearray, 10**12),
        "codecs": Calls(__import__("_codecs").decode, b"x", "zip"),
        "class": Calls,
        "module function": os.getcwd,
        "ordered dict": collections.OrderedDict(a=1),
        "counter": collections.Counter("a"),
        "set": {1, 2},
        "frozenset": frozenset([1]),
        "complex": 1j,
        "range": range(3),
        "record": np.zeros(2, [("a", "f8")]),
        "date": np.zeros(2, "M8[s]"),
        "masked": np.ma.masked_array([1.0]),
        "matrix": np.zeros((2, 2)).view(np.matrix),
        "float class": np.float64,
        "generator": np.random.default_rng(0),
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", _payloads("x"))
@pytest.mark.parametrize("wrapped", [False, True])
def test_nothing_but_arrays_is_made(name, protocol, wrapped, tmp_path):
    touched = tmp_path / "touched"
    payload = _payloads(touched)[name]
    try:
        content = pickle.dumps({"poses": POSES, "x": payload} if wrapped else payload, protocol)
    except (TypeError, pickle.PicklingError, AttributeError) as error:
        pytest.skip(f"cannot be pickled: {error}")
    (tmp_path / "bad.pkl").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.pkl: "):
        read(tmp_path / "bad.pkl")
    assert not touched.exists()


def test_the_name_that_is_refused_is_told(tmp_path):
    for protocol in PROTOCOLS:
        dumped(tmp_path / "bad.pkl", Calls(os.system, "true"), protocol)
        with pytest.raises(InputError, match=r"byte \d+ names '(posix|nt)\.system'; only NumPy arrays"):
            read(tmp_path / "bad.pkl")


#: Pieces of hand-made pickles: an array on its way, and the type of its items.
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR"
F8 = b"cnumpy\ndtype\n(U\x02f8I0\nI1\ntR"
OBJECT = b"cnumpy\ndtype\n(U\x02O8I0\nI1\ntR"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02", "past the end"),
        (b"\x80\x09.", "protocol 9"),
        (b"\x80\x02K\x01", "past the end"),
        (b".", "byte 0"),
        (b"(.", "takes an object where none is"),
        (b"N.", "holds null, expected a dict"),
        (b"K\x05.", "holds 5, expected a dict"),
        (b"\x8a\xff" + b"\x7f" * 255 + b".", "an integer of 2039 bits"),
        (b"}.", "it is empty"),
        (b"]q\x00h\x00a.", "holds a list, expected"),
        (b"Pname\n.", "b'P'"),
        (b"NQ.", "b'Q'"),
        (b"\x82\x01.", "begins nothing"),
        (b"\x97.", "begins nothing"),
        (b"(ios\nsystem\n.", "begins nothing"),
        (b"cos\nsystem\n(U\x04truetR.", "names 'os.system'"),
        (b"\x8c\x02os\x8c\x06system\x93.", "names 'os.system'"),
        (b"cnumpy\nndarray\n)\x81.", "begins nothing"),
        (b"cnumpy\nndarray\n((I1000000000000\nttR.", "calls something"),
        (b"cnumpy\nndarray\nN}U\x01xK\x01s\x86b.", "sets the state"),
        (b"cnumpy\ndtype\n}b.", "sets the state"),
        (b"cnumpy\ndtype\n.", "holds a Global"),
        (b"cnumpy.testing._private.utils\nrunstring\n.", "names 'numpy.testing._private.utils.runstring'"),
        (b"cnumpy\nndarray.__setstate__\n.", "names"),
        (b"\x8c\x05numpy\x8c\x12ndarray.tofile.sub\x93.", "names"),
        (b"c_codecs\nencode\n(X\x01\x00\x00\x00aU\x03hextR.", "calls something"),
        (b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00hextR.", "calls something"),
        (b"c_codecs\nencode\n(X\x03\x00\x00\x00\xe2\x82\xacX\x06\x00\x00\x00latin1tR.", "not part of"),
        (b"c__builtin__\nbytes\n(I1000000000000\ntR.", "calls something"),
        (RECONSTRUCT + b"(I1\n(I1000000000000\nI17\nI3\nt" + F8 + b"I00\nU\x00tb.", "makes an array"),
        (RECONSTRUCT + b"(I1\n(I1000000000000\nI0\nI3\nt" + F8 + b"I00\nU\x00tb.", "no joints|no poses"),
        (RECONSTRUCT + b"(I1\n(I-1\nI-1\nt" + F8 + b"I00\nU\x08abcdefghtb.", "makes an array of shape"),
        (RECONSTRUCT + b"(I1\n(L" + b"9" * 40 + b"L\nI0\nt" + F8 + b"I00\nU\x00tb.", "makes an array of shape"),
        (RECONSTRUCT + b"(I1\n(I1\nt" + F8 + b"I00\n]tb.", "Python objects"),
        (RECONSTRUCT + b"(I1\n(I1\nt" + F8 + b"I00\nNtb.", "not bytes"),
        (RECONSTRUCT + b"(I1\n(I1\ntNI00\nU\x00tb.", "sets the state"),
        (RECONSTRUCT + b"Nb.", "sets the state"),
        (RECONSTRUCT + b"K\x01K\x02s.", "no dict"),
        (b"cnumpy\ndtype\n(U\x02O8I0\nI1\ntR.", "holds a DType"),
        (RECONSTRUCT + b"(I1\n(I1\nt" + OBJECT + b"I00\nU\x08abcdefghtb.", "is no list"),
        (RECONSTRUCT + b"(I1\n(I2\nt" + OBJECT + b"I00\n](K\x01etb.", r"\(2,\) out of 1 objects"),
        (RECONSTRUCT + b"(I1\n(I-1\nt" + OBJECT + b"I00\n]tb.", r"of shape \(-1\)"),
        (RECONSTRUCT + b"(I1\n(](K\x01eI2\nt" + OBJECT + b"I00\n]tb.", r"of shape \(a list, 2\)"),
        (RECONSTRUCT + b"q\x00(I1\n(I1\nt" + OBJECT + b"I00\n](h\x00etb.", "puts an array of objects into another"),
        (RECONSTRUCT + b"(I1\n(I1\nt" + F8 + b"I00\n](K\x01etb.", "Python objects"),
        (RECONSTRUCT + (b"(I1\n(I0\nt" + F8 + b"I00\nU\x00tb") * 2 + b".", "has one"),
        (b"cnumpy.core.multiarray\nscalar\n(" + OBJECT + b"U\x08abcdefghtR.", "Python objects"),
        (
            b"cnumpy.core.numeric\n_frombuffer\n(U\x08abcdefgh" + OBJECT + b"(I1\ntX\x01\x00\x00\x00CtR.",
            "Python objects",
        ),
        (b"cnumpy\ndtype\n(U\x0bS9999999999I0\nI1\ntR.", "names the type"),
        (b"cnumpy\ndtype\n(U\x02U0I0\nI1\ntR.", "names the type"),
        (b"cnumpy\ndtype\n(U\x05f8,f8I0\nI1\ntR.", "names the type"),
        (F8 + b"(I3\nU\x01!NNNI-1\nI-1\nI0\ntb.", "byte order"),
        (F8 + b"(I3\nU\x01<N(U\x01atNI-1\nI-1\nI0\ntb.", "sets the state"),
        (b"cnumpy.core.multiarray\nscalar\n(" + F8 + b"U\x04abcdtR.", "makes an array"),
        (b"B\xff\xff\xff\x7fabc.", "asks for 2147483647 bytes, but the file ends after 4"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.", "asks for 9223372036854775807 bytes"),
        (b"\x96\xff\xff\xff\xff\xff\xff\xff\xffabc.", "asks for 18446744073709551615 bytes"),
        (b"}(K\x01K\x02u.", "a dict key that is 1"),
        (b"})N\x86" + b"s.", "byte"),
        (b"h\x07.", "not part of"),
        (b"I" + b"9" * 5000 + b"\n.", "not part of"),
        (b"S'unclosed\n.", "not part of"),
        (b"S'a' + 'b'\n.", "not part of"),
        (b"Vabc", "does not end"),
        (b"}(U\x05posesNu.", "it has 'poses'|poses is"),
        (b"}(U\x05poses](K\x01eu.", "poses is a list, expected a NumPy array"),
        (b"}(U\x05poses" + F8 + b"u.", "poses is a DType"),
    ],
)
def test_crafted_pickles_are_refused(content, message, tmp_path):
    (tmp_path / "bad.pkl").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "bad.pkl")
    assert "bad.pkl" in str(caught.value)
    assert len(str(caught.value)) < 400


def test_keys_that_take_for_ever_to_hash_are_refused_at_once(tmp_path):
    doubling = b")q\x00" + b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(100))
    for content in (b"}(hdNu.", b"}hdNs.", b"(hdNd."):
        (tmp_path / "bad.pkl").write_bytes(b"](" + doubling + b"e" + content)
        with watchdog(), pytest.raises(InputError, match="sets a dict key"):
            read(tmp_path / "bad.pkl")


@pytest.mark.parametrize("name", ["poses", "valid", "action", "frame", "intrinsics", "unit", "fps", "root_depth"])
def test_lists_that_repeat_themselves_are_not_expanded(name, tmp_path):
    laughs = b"]qd" + b"".join(
        b"](" + b"h%c" % i * 100 + b"eq%c" % (i + 1) for i in range(100, 120)
    )  # a list of 100 times a list of 100 times ...
    array = pickle.dumps(np.zeros((100, 1, 3)), 2)[2:-1]
    content = b"](" + laughs + b"e}(U\x05poses" + array + b"U%c" % len(name) + name.encode() + b"hxu."
    (tmp_path / "bad.pkl").write_bytes(content)
    with watchdog(), pytest.raises(InputError, match=name):
        read(tmp_path / "bad.pkl")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_array_of_objects_holds_what_was_saved(protocol, tmp_path):
    content = {"a": np.array({"x": POSES, "y": [1, None]}, object), "b": np.empty((2, 1), object)}
    content["b"][:, 0] = [POSES[:1], {"z": (POSES[0], "é")}]
    loaded = load_numpy_pickle(dumped(tmp_path / "a.pkl", content, protocol))
    assert loaded["a"].shape == ()
    np.testing.assert_array_equal(loaded["a"].item()["x"], POSES)
    assert loaded["a"].item()["y"] == [1, None]
    assert (loaded["b"].shape, loaded["b"].dtype) == ((2, 1), np.dtype(object))
    np.testing.assert_array_equal(loaded["b"][0, 0], POSES[:1])
    np.testing.assert_array_equal(loaded["b"][1, 0]["z"][0], POSES[0])
    assert loaded["b"][1, 0]["z"][1] == "é"


def test_an_array_of_objects_in_fortran_order_keeps_its_places(tmp_path):
    array = np.array([["a", 1, None], ["b", 2, 2.5]], object, order="F")
    loaded = load_numpy_pickle(dumped(tmp_path / "a.pkl", array))
    assert loaded.tolist() == array.tolist()


def test_what_an_array_of_objects_holds_is_not_run_either(tmp_path):
    for protocol in PROTOCOLS:
        array = np.array([Calls(os.system, f"touch {tmp_path / 'touched'}")], object)
        with pytest.raises(InputError, match=r"names '(posix|nt)\.system'"):
            load_numpy_pickle(dumped(tmp_path / "bad.pkl", array, protocol))
    assert not (tmp_path / "touched").exists()


def test_deeply_nested_arrays_of_objects_do_not_overflow_the_stack(tmp_path):
    # NumPy frees an array inside an array by recursion: 10,000 levels end the process.
    begin, end = RECONSTRUCT + b"(I1\n(I1\nt" + OBJECT + b"I00\n](", b"etb"
    direct = begin * 20_000 + b"N" + end * 20_000 + b"."
    (tmp_path / "bad.pkl").write_bytes(direct)
    with pytest.raises(InputError, match="puts an array of objects into another"):
        read(tmp_path / "bad.pkl")
    in_lists = (begin + b"](") * 20_000 + b"N" + (b"e" + end) * 20_000 + b"."
    (tmp_path / "bad.pkl").write_bytes(in_lists)
    with pytest.raises(InputError, match="holds a list, expected a dict"):
        read(tmp_path / "bad.pkl")


def test_one_list_put_into_many_arrays_of_objects_is_refused(tmp_path):
    many = b"](" + b"N" * 10_000 + b"eq\x00"
    array = RECONSTRUCT + b"(I1\n(I10000\nt" + OBJECT + b"I00\nh\x00tb"
    (tmp_path / "bad.pkl").write_bytes(many + array * 100 + b".")
    with pytest.raises(InputError, match="makes more data than the file holds"):
        load_numpy_pickle(tmp_path / "bad.pkl")


def test_a_shape_that_takes_for_ever_to_print_is_refused_at_once(tmp_path):
    doubling = b")q\x00" + b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(100))
    content = b"](" + doubling + b"e" + RECONSTRUCT + b"(I1\nhd" + F8 + b"I00\nU\x00tb."
    (tmp_path / "bad.pkl").write_bytes(content)
    with watchdog(), pytest.raises(InputError, match=r"of shape \(a tuple, a tuple\)"):
        read(tmp_path / "bad.pkl")


def test_a_tensor_is_refused_with_what_to_save_instead(tmp_path):
    # As pickle writes a torch tensor; torch is not needed for that.
    content = b"\x80\x02}(U\x05posesctorch._utils\n_rebuild_tensor_v2\n(I0\nI0\n(I1\nt(I1\ntI00\ntRu."
    (tmp_path / "bad.pkl").write_bytes(content)
    with pytest.raises(InputError, match=r"names 'torch\._utils.*pickle arrays.*\.cpu\(\)\.numpy\(\)"):
        read(tmp_path / "bad.pkl")


def test_one_text_copied_many_times_is_refused(tmp_path):
    text = b"X" + struct.pack("<I", 100_000) + b"a" * 100_000 + b"q\x00X\x06\x00\x00\x00latin1q\x01"
    content = b"]" + text + b"c_codecs\nencode\nq\x02" + b"h\x02h\x00h\x01\x86R" * 1000 + b"."
    (tmp_path / "bad.pkl").write_bytes(content)
    with pytest.raises(InputError, match="makes more data than the file holds"):
        load_numpy_pickle(tmp_path / "bad.pkl")


def test_one_array_filled_many_times_is_refused(tmp_path):
    data = b"T" + struct.pack("<I", 80_000) + bytes(80_000) + b"q\x00"
    fill = RECONSTRUCT + b"(I1\n(I10000\nt" + F8 + b"I00\nh\x00tb"
    (tmp_path / "bad.pkl").write_bytes(data + fill * 100 + b".")
    with pytest.raises(InputError, match="makes more data than the file holds"):
        load_numpy_pickle(tmp_path / "bad.pkl")


def test_a_pickle_of_endless_steps_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pickle_file, "STEP_LIMIT", 1000)
    (tmp_path / "bad.pkl").write_bytes(b"]" * 2000 + b".")
    with pytest.raises(InputError, match="beyond 1000 steps"):
        read(tmp_path / "bad.pkl")


def test_nesting_is_no_trouble(tmp_path):
    (tmp_path / "bad.pkl").write_bytes(b"]" * 200_000 + b"a" * 199_999 + b".")
    with pytest.raises(InputError, match="holds a list, expected a dict"):
        read(tmp_path / "bad.pkl")


def test_arrays_share_no_memory_with_the_file(tmp_path):
    path = dumped(tmp_path / "a.pkl", POSES, 5)
    poses = read(path).poses
    path.write_bytes(bytes(len(path.read_bytes())))
    np.testing.assert_array_equal(poses, POSES)
